// Where a crop is cut: the random resized crop of Inception training (Szegedy et al. 2015), with
// torchvision's rules.
#pragma once
#include <array>

#include "dino/base/rng.h"

namespace dino::data {

struct CropBox {
  int left = 0, top = 0, width = 0, height = 0;  ///< px
};

/** A box inside width x height px whose share of the area is uniform in `scale` and whose aspect
 * ratio is log-uniform in [3/4, 4/3]: ten tries, then the largest centered box whose ratio lies in
 * that range. Thread-safe. */
CropBox random_resized_crop(int width, int height, const std::array<double, 2>& scale, Rng& rng);

}  // namespace dino::data
