// How well predicted classes of pixels agree with the true ones: intersection over union, as
// semantic segmentation is judged.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dino::eval {

struct SegmentationScore {
  double mean_iou = 0;        ///< over the classes that are present, in [0, 1]
  double pixel_accuracy = 0;  ///< share of px of the right class
  /// [class] px that are of it and predicted, of all that are of it or predicted; nothing for
  /// classes of which there is no px
  std::vector<std::optional<double>> iou;
};

/** Counts pairs of true and predicted class over any number of images. */
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::int64_t classes);
  /** Adds px by px; all classes must be in range. Throws Error{Usage} on unequal lengths. */
  void add(std::span<const std::uint8_t> truth, std::span<const std::int64_t> predicted);
  /** Throws Error{Data} if nothing was added. */
  SegmentationScore score() const;

 private:
  std::int64_t& at(std::int64_t truth, std::int64_t predicted) {
    return counts_[static_cast<std::size_t>(truth * classes_ + predicted)];
  }

  std::int64_t classes_;
  std::vector<std::int64_t> counts_;  // [true, predicted]
};

}  // namespace dino::eval
