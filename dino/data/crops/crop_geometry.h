// Draws the region of a random resized crop (Szegedy et al. 2015), by torchvision's rules.
#pragma once
#include <array>

#include "dino/base/rng.h"

namespace dino::data {

struct CropBox {
  int left = 0, top = 0, width = 0, height = 0;  ///< px
};

/** Draws a box inside an image of width x height px. Its share of the area is uniform in `scale`,
 * its aspect ratio log-uniform in [3/4, 4/3]. After ten boxes that do not fit, returns the largest
 * centered box with a ratio in that range. Thread-safe. */
CropBox random_resized_crop(int width, int height, const std::array<double, 2>& scale, Rng& rng);

}  // namespace dino::data
