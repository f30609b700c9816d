// Labels of patches from labels of pixels.
#pragma once
#include <cstdint>
#include <vector>

#include "dino/image/image.h"

namespace dino::data {

/** The most frequent value of `map` (one channel) in each of rows x columns equal rectangles, row
 * by row; of equally frequent ones the smallest. A px belongs to the rectangle that holds its
 * center. Throws Error{Usage} if a rectangle would be smaller than a px. Thread-safe. */
std::vector<std::uint8_t> patch_labels(const image::Image& map, int rows, int columns);

}  // namespace dino::data
