// The patch embedding of several crop groups as one autograd node, on the CPU only.
#pragma once
#include <torch/types.h>

#include <vector>

#include "dino/model/backbone.h"
#include "dino/model/encoder.h"

namespace dino::model {

/** The parameters of an embedding; the last two may be undefined. */
struct EmbedParameters {
  torch::Tensor weight;      ///< [D, C, p, p]
  torch::Tensor bias;        ///< [D]
  torch::Tensor cls_token;   ///< [1, 1, D]
  torch::Tensor registers;   ///< [1, R, D]
  torch::Tensor mask_token;  ///< [1, D]
};

/** Returns packed tokens [T, D] fp32: for each image its CLS row (cls_token + position 0), the
 * registers, then its projected patches plus positions, row-major over the grid; the mask token
 * takes the place of projected patches that are masked. Images of the groups are fp32 (no
 * gradient), positions [1, 1 + P, D] fp32 per group. Differentiable in the parameters and
 * positions. */
torch::Tensor fused_embed(const std::vector<CropGroup>& groups,
                          const std::vector<torch::Tensor>& positions,
                          const EmbedParameters& parameters, const TokenLayout& layout,
                          Precision precision);

}  // namespace dino::model
