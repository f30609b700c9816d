// The interpolation filters of resampling, named as in Pillow.
#pragma once

namespace dino::image {

enum class Filter { Nearest, Bilinear, Bicubic, Lanczos };

/** A region in source px, which may be fractional. It must lie inside the image and not be empty.
 */
struct Box {
  float left = 0;
  float top = 0;
  float right = 0;
  float bottom = 0;
};

}  // namespace dino::image
