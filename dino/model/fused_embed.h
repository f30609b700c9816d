// Patch embedding of several crop groups into packed tokens as one autograd node on the CPU.
#pragma once
#include <torch/types.h>

#include <vector>

#include "dino/model/backbone.h"
#include "dino/model/encoder.h"

namespace dino::model {

/** tokens [T, D] fp32: per image its CLS row (cls_token + position 0), then patch projection +
 * positions, row-major over the patch grid. images: per group [B, C, H, W] fp32, no gradient;
 * positions: per group [1, 1 + P, D] fp32; weight [D, C, p, p], bias [D], cls_token [1, 1, D].
 *  Differentiable in weight, bias, cls_token and positions. */
torch::Tensor fused_embed(const std::vector<torch::Tensor>& images,
                          const std::vector<torch::Tensor>& positions, const torch::Tensor& weight,
                          const torch::Tensor& bias, const torch::Tensor& cls_token,
                          const TokenLayout& layout, Precision precision);

}  // namespace dino::model
