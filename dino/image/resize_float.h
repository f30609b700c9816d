// Resampling in floats, as PyTorch resizes tensors with antialias=True (DINOv3's transform): the
// weights of resize.h, but nothing is rounded to 8 bits on the way and nothing is clipped.
#pragma once
#include <cstddef>
#include <vector>

#include "dino/image/image.h"
#include "dino/image/resize.h"

namespace dino::image {

/** [channels, height, width] floats: an image as networks take it. */
struct Planes {
  int width = 0;     ///< px
  int height = 0;    ///< px
  int channels = 0;  ///< planes
  std::vector<float> values;

  const float* row(int channel, int y) const {
    return values.data() + (static_cast<std::size_t>(channel) * static_cast<std::size_t>(height) +
                            static_cast<std::size_t>(y)) *
                               static_cast<std::size_t>(width);
  }
};

/** The whole image scaled to width x height px, as values / 255; the cubic and Lanczos filters
 * overshoot [0, 1]. Filter::Nearest takes the pixel whose area holds the centre, as Pillow and
 * PyTorch's "nearest-exact" do. Throws Error{Usage} on an empty image or a target below 1 px.
 * Thread-safe. */
Planes resize_to_floats(const Image& source, int width, int height, Filter filter);

}  // namespace dino::image
