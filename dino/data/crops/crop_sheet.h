// Contact sheets that show the effect of a recipe on images: the crops of each image and the masked
// patches.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "dino/data/crops/crop_mix.h"
#include "dino/data/crops/ibot_mask.h"
#include "dino/data/crops/multi_crop.h"
#include "dino/data/prepare/preprocess.h"
#include "dino/data/sources/dataset.h"
#include "dino/image/pictures/sheet.h"

namespace dino::data {

struct CropSheetOptions {
  MultiCropOptions crops;
  MixOptions mixes = {};  ///< row i shows mix i, in turn
  std::uint64_t seed = 0;
  bool full_range = false;  ///< see LoaderOptions; each image is shown in its own range
  int max_locals = 6;       ///< local crops shown per image
  std::optional<Preprocess> evaluation = {};  ///< if set, the evaluation's input is shown too
};

/** One row per image of `indices`: the image with the outlines of its crops, the evaluation's crop,
 * the global crops, the teacher's versions if they differ, and the local crops, as pixels before
 * normalization. They are drawn from Rng(seed, epoch 0, index, view), as in training, and
 * captioned with their augmentations. Unreadable images are omitted. */
image::Sheet crop_sheet(const Dataset& dataset, const std::vector<std::int64_t>& indices,
                        const CropSheetOptions& options);

/** One row per image: each global crop as the teacher sees it and with its masked patches covered;
 * masks are drawn as for a batch of these images. Throws Error{Config} if `masks` has none. */
image::Sheet mask_sheet(const Dataset& dataset, const std::vector<std::int64_t>& indices,
                        const CropSheetOptions& options, const MaskOptions& masks, int patch_size);

}  // namespace dino::data
