// The crops a recipe makes, for a person to look at: what the network is asked to find equal.
#pragma once
#include <cstdint>
#include <vector>

#include "dino/data/dataset.h"
#include "dino/data/multi_crop.h"
#include "dino/image/sheet.h"

namespace dino::data {

/** One row per image of `indices`: the image, its two global crops, its local ones (at most
 * `max_locals`), as 8-bit pixels before normalisation, drawn from Rng(seed, epoch 0, index, view)
 * as training would draw them. Unreadable images are left out. */
image::Sheet crop_sheet(const Dataset& dataset, const std::vector<std::int64_t>& indices,
                        const MultiCropOptions& options, std::uint64_t seed, int max_locals = 6);

}  // namespace dino::data
