// Axial rotary position embedding (DINOv3): queries and keys of patches are rotated by angles
// proportional to the patch's coordinates; those of CLS and registers are not.
#pragma once
#include <torch/types.h>

#include "dino/arch/architecture.h"

namespace dino::model {

/** Random changes of the coordinates in training; 0 = off. They are drawn for every block and group
 * of crops. */
struct RopeAugment {
  double shift = 0;    ///< coordinates + uniform in [-shift, shift], per axis
  double jitter = 0;   ///< coordinates * exp(uniform in +-ln jitter), per axis; >= 1 if on
  double rescale = 0;  ///< as jitter, with one factor for both axes; 2 in the released recipes
  bool any() const { return shift > 0 || jitter > 0 || rescale > 0; }
};

/** The cosines and sines for a grid of patches, row-major: [2, P, d] of `type`, where d = D / h is
 * the width of a head. `augment` draws from `generator`. */
torch::Tensor rope_table(const arch::Vit& vit, std::int64_t grid_height, std::int64_t grid_width,
                         const RopeAugment& augment = {}, torch::Generator generator = {},
                         torch::Dtype type = torch::kFloat32);

/** Rotates all tokens of x [B, h, N, d] but the first `prefix`. Computed in the table's type; the
 * result has x's type. */
torch::Tensor apply_rope(const torch::Tensor& x, const torch::Tensor& table, std::int64_t prefix);

}  // namespace dino::model
