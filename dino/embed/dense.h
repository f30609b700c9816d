// Patch-level maps with a finer resolution than the patch grid. The image is shifted by less than a
// patch, and the maps of all shifts are interleaved to one value per `stride` px, so that the
// network gets images of the size it was trained on. Useful for small images (28 px with patches of
// 7 px have a 4 x 4 grid).
#pragma once
#include <torch/types.h>

#include <functional>

#include "dino/model/backbone.h"

namespace dino::embed {

/** A function from images [B, C, H, W] to maps [B, F, gh, gw] on the patch grid. */
using MapFunction = std::function<torch::Tensor(const torch::Tensor& images)>;

/** Evaluates `map` on (patch / stride)^2 shifted copies of images [B, C, H, W] and interleaves: [B,
 * F, gh * patch / stride, gw * patch / stride]. Uncovered pixels repeat the border's. `stride`
 * divides `patch`; stride == patch gives a single call. Throws Error{Usage} otherwise. */
torch::Tensor dense_map(const torch::Tensor& images, int patch, int stride, const MapFunction& map);

/** A stride for which the map has about 28 cells per side, with at most 64 evaluations; `patch`
 * itself for grids of at least 14 cells. */
int suggested_stride(int image_size, int patch);

/** The patch tokens after the final norm, [B, D, gh, gw]. Runs in eval mode without gradients. */
torch::Tensor patch_map(model::Backbone& backbone, const torch::Tensor& images);

/** Attention of the last block's CLS token to the patches, per head: [B, h, gh, gw] (DINO, figures
 * 1 and 3). Runs in eval mode without gradients. Throws Error{Usage} if the architecture has no
 * attention. */
torch::Tensor attention_map(model::Backbone& backbone, const torch::Tensor& images);

}  // namespace dino::embed
