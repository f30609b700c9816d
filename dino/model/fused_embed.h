// The patch embedding of several crop groups as one autograd node, on the CPU only.
#pragma once
#include <torch/types.h>

#include <vector>

#include "dino/model/backbone.h"
#include "dino/model/encoder.h"

namespace dino::model {

/** Returns packed tokens [T, D] fp32: for each image its CLS row (cls_token + position 0), then its
 * projected patches plus positions, row-major over the grid. Per group, images are [B, C, H, W]
 * fp32 (no gradient) and positions [1, 1 + P, D] fp32; weight is [D, C, p, p], bias [D], cls_token
 * [1, 1, D]. Differentiable in weight, bias, cls_token and positions. */
torch::Tensor fused_embed(const std::vector<torch::Tensor>& images,
                          const std::vector<torch::Tensor>& positions, const torch::Tensor& weight,
                          const torch::Tensor& bias, const torch::Tensor& cls_token,
                          const TokenLayout& layout, Precision precision);

}  // namespace dino::model
