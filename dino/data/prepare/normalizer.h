// Pixels to what networks read: floats around zero.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "dino/image/image.h"
#include "dino/image/pixels/kernels.h"
#include "dino/image/planes.h"

namespace dino::data {

/** uint8 [H, W, C] -> [C, H, W], (x/255 - mean)/std: one multiplication and one addition, rounded
 * once. Thread-safe. */
class Normalizer {
 public:
  /** Per channel, of samples in [0, 1]. */
  Normalizer(const std::vector<double>& mean, const std::vector<double>& std);
  /** Writes C*H*W floats. The image must have as many channels as `mean` has entries. `mirrored`:
   * left and right change places. */
  void operator()(const image::Image& source, float* out, bool mirrored = false) const;
  /** bfloat16, rounded to nearest even from those floats. */
  void operator()(const image::Image& source, std::uint16_t* out, bool mirrored = false) const;
  /** The bytes themselves, not normalized. */
  void operator()(const image::Image& source, std::uint8_t* out, bool mirrored = false) const;
  /** As the first, after an antialiased bicubic resize in floats to size x size px. */
  void resized(const image::Image& source, int size, float* out) const;
  /** Planes of any range: (x - mean)/std. */
  void operator()(const image::Planes& source, float* out, bool mirrored = false) const;
  void operator()(const image::Planes& source, std::uint16_t* out, bool mirrored = false) const;
  void resized(const image::Planes& source, int size, float* out) const;
  /** What the 256 values of a channel become. */
  const std::array<float, 256>& table(std::size_t channel) const { return tables_.at(channel); }

 private:
  image::Normalization of(const image::Image& source, bool mirrored) const;

  std::vector<double> mean_, std_;              // [C]
  std::vector<float> scale_, offset_;           // [C]
  std::vector<std::array<float, 256>> tables_;  // [C]
};

}  // namespace dino::data
