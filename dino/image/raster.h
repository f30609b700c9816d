// Samples as files hold them, and what becomes of them: 8-bit images or planes of floats, in the
// channels asked for.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "dino/image/image.h"
#include "dino/image/planes.h"

namespace dino::image {

/** [height, width, samples], interleaved. */
struct Raster {
  int width = 0;           ///< px
  int height = 0;          ///< px
  int samples = 0;         ///< per pixel, alpha included
  bool is_rgb = false;     ///< the first three are red, green and blue
  bool has_alpha = false;  ///< the last one is alpha, not multiplied into the others
  std::variant<std::vector<std::uint8_t>, std::vector<std::uint16_t>, std::vector<float>> values;

  int bands() const { return samples - (has_alpha ? 1 : 0); }
};

using Background = std::optional<std::array<std::uint8_t, 3>>;

/** Throws Error{Format} if `channels` can be made of these samples neither by taking them as they
 * are nor by the rules of decode(). 0 becomes the number of bands. */
int resolve_channels(const Raster& raster, int channels);

Image to_image(const Raster& raster, int channels, const Background& background);
Planes to_planes(const Raster& raster, int channels, const Background& background);

}  // namespace dino::image
