// What the fused encoder's forward pass works with and what it leaves for the backward pass.
#pragma once
#include <torch/types.h>

#include <vector>

#include "dino/arch/architecture.h"
#include "dino/model/encoder.h"
#include "dino/model/fused_slabs.h"

namespace dino::model::fused {

using torch::Tensor;

/** The parameters of one block as the passes read them. */
struct BlockWeights {
  Tensor qkv, proj, fc1, fc2;                      ///< compute type
  Tensor qkv_bias, proj_bias, fc1_bias, fc2_bias;  ///< compute type
  Tensor gamma1, beta1, gamma2, beta2;             ///< fp32
};

/** The parameters of a block in the order in which they, and their gradients, stand. */
enum Parameter : std::size_t {
  kGamma1,
  kBeta1,
  kQkv,
  kQkvBias,
  kProj,
  kProjBias,
  kGamma2,
  kBeta2,
  kFc1,
  kFc1Bias,
  kFc2,
  kFc2Bias,
  kPerBlock
};

/** What the passes over one batch share. */
struct Pass {
  arch::Vit options;
  TokenLayout layout;
  torch::Dtype type = torch::kFloat32;
  bool cls_only = false;  ///< the last block computes nothing but the CLS rows
  Tensor drop;            ///< [depth, 2, S] factors of the branches, or undefined
  std::vector<BlockWeights> weights;
  std::vector<Share> shares;

  bool only_cls(std::size_t block) const { return cls_only && block + 1 == weights.size(); }
};

/** What the backward of one block needs of a slab of T rows, S sequences. In a CLS-only block
 * everything after attention has S rows instead of T. */
struct BlockTape {
  Tensor x, mean1, rstd1, normed1;      ///< [T, D] fp32, [T], [T], [T, D]
  Tensor qkv;                           ///< [T, 3D]; CLS-only: [T, 2D] keys and values
  Tensor query;                         ///< CLS-only: [S, D]
  Tensor logsumexp;                     ///< [heads, T or S] of the attention scores
  Tensor heads;                         ///< [T or S, D] concatenated attention outputs
  Tensor x_mid, mean2, rstd2, normed2;  ///< after the attention branch
  Tensor hidden;                        ///< [T or S, hidden] before GELU
  Tensor scale1, scale2;                ///< per row factors of the branches, or undefined
};
using SlabTape = std::vector<BlockTape>;  ///< by block

/** The CLS rows of a slab's x [T, D], as a view [S, D]. */
inline Tensor cls_rows(const Tensor& x, const Slab& slab) {
  return x.view({slab.sequences, slab.tokens, x.size(1)}).select(1, 0);
}

/** The elements of an fp32 tensor; nullptr if it is undefined. */
inline float* floats(const Tensor& x) {
  return x.defined() ? x.data_ptr<float>() : nullptr;
}

}  // namespace dino::model::fused
