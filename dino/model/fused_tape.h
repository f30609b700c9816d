// What the fused encoder's forward pass works with and what it leaves for the backward pass.
#pragma once
#include <torch/types.h>

#include <algorithm>
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
  /// [2, P, d] fp32 per block (one for all of them) and group; no groups without RoPE
  std::vector<std::vector<Tensor>> rope;
  std::vector<BlockWeights> weights;
  std::vector<Share> shares;

  /** The rotation table of a slab in a block, or undefined. */
  Tensor rope_of(std::size_t block, const Slab& slab) const {
    const auto& groups = rope[std::min(block, rope.size() - 1)];
    return groups.empty() ? Tensor() : groups[slab.group];
  }
  bool only_cls(std::size_t block) const { return cls_only && block + 1 == weights.size(); }
};

/** The sequences of a slab that a branch takes: those whose factor is not 0. */
struct Taken {
  /** Place of each of the slab's sequences among those taken, or -1. */
  std::vector<std::int64_t> places;
  std::int64_t sequences = 0;  ///< number of those taken
  Tensor scale;                ///< factor of each row that the branch adds; undefined = 1
};

/** A norm in the stream of a slab: S * n rows, of which the branch after it takes some. */
struct Normed {
  Tensor x;           ///< [S * n, D] fp32, the stream before the norm
  Tensor mean, rstd;  ///< [taken rows]
  Tensor out;         ///< [taken rows, D] of the compute type
};

/** What the backward of one block needs of a slab of S sequences. T are the rows of the sequences
 * that a branch takes; in a CLS-only block everything after attention has one row a sequence. */
struct BlockTape {
  Taken attention, mlp;  ///< what the two branches take
  Normed norm1;
  Tensor qkv;        ///< [T, 3D]; CLS-only: [T, 2D] keys and values
  Tensor query;      ///< CLS-only: [taken, D]
  Tensor logsumexp;  ///< [heads, T or taken] of the attention scores
  Tensor heads;      ///< [T or taken, D] concatenated attention outputs
  Normed norm2;
  Tensor hidden;  ///< [T or taken, hidden] before GELU; SwiGLU: [.., 2 hidden] before the gate
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
