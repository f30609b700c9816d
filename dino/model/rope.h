// Axial rotary position embedding (DINOv3): queries and keys of patches are turned by angles that
// grow with the patch's place; CLS and registers are not.
#pragma once
#include <torch/types.h>

#include "dino/arch/architecture.h"

namespace dino::model {

/** Random changes of the coordinates, in training only; 0 = off. Drawn anew for every block and
 * group of crops. */
struct RopeAugment {
  double shift = 0;    ///< coordinates + uniform in [-shift, shift], per axis
  double jitter = 0;   ///< coordinates * exp(uniform in +-ln jitter), per axis; >= 1 if on
  double rescale = 0;  ///< the same, one factor for both axes; 2 in the released recipes
  bool any() const { return shift > 0 || jitter > 0 || rescale > 0; }
};

/** Cosines and sines of a grid of patches, row-major: [2, P, d] of `type` with d = D / h the head's
 * width. `augment` draws from `generator`. */
torch::Tensor rope_table(const arch::Vit& vit, std::int64_t grid_height, std::int64_t grid_width,
                         const RopeAugment& augment = {}, torch::Generator generator = {},
                         torch::Dtype type = torch::kFloat32);

/** Turns the tokens behind the first `prefix`: x [B, h, N, d] -> [B, h, N, d]; rotation in the
 * table's type, result in x's. */
torch::Tensor apply_rope(const torch::Tensor& x, const torch::Tensor& table, std::int64_t prefix);

}  // namespace dino::model
