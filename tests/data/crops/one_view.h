// One view of an image from the draw to the pixels, as the tests of crops compare it.
#pragma once
#include "dino/data/crops/apply_crop.h"

namespace dino::data {

inline image::Image crop_view(const image::Image& source, int view, const MultiCropOptions& options,
                              Rng rng) {
  return apply_crop(source, draw_crop(source.width, source.height, view, options, rng));
}

}  // namespace dino::data
