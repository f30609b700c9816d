// Patch-level maps finer than the patch grid. Small images give tiny grids (28 px in patches of 7
// is 4 x 4): moving the image under the grid by less than a patch and interleaving the answers
// gives one value per `stride` px, with the network always seeing images as in training.
#pragma once
#include <torch/types.h>

#include <functional>

#include "dino/model/backbone.h"

namespace dino::embed {

/** [B, C, H, W] images -> [B, F, gh, gw] maps on the patch grid. */
using MapFunction = std::function<torch::Tensor(const torch::Tensor& images)>;

/** Evaluates `map` on (patch / stride)^2 shifted copies of images [B, C, H, W] and interleaves: [B,
 * F, gh * patch / stride, gw * patch / stride]. Uncovered pixels repeat the border. `stride`
 * divides `patch`; stride == patch is one plain call. Throws Error{Usage} otherwise. */
torch::Tensor dense_map(const torch::Tensor& images, int patch, int stride, const MapFunction& map);

/** A stride that brings the grid to about 28 cells a side for at most 64 evaluations; `patch`
 * itself for grids of 14 cells and more. */
int suggested_stride(int image_size, int patch);

/** Final-normed patch tokens: [B, D, gh, gw]. Eval mode, no gradients. */
torch::Tensor patch_map(model::Backbone& backbone, const torch::Tensor& images);

/** Attention of the last block's CLS token to the patches, per head: [B, h, gh, gw] (DINO, figures
 * 1 and 3). Eval mode, no gradients. Throws Error{Usage} where the architecture has no attention.
 */
torch::Tensor attention_map(model::Backbone& backbone, const torch::Tensor& images);

}  // namespace dino::embed
