// The stack of pre-norm transformer blocks (Dosovitskiy et al. 2021; DINO's vision_transformer.py)
// over packed tokens:
//   x += ls1 * Attention(LN1 x);  x += ls2 * FFN(LN2 x),
// with the options of the later generations: layer scale, SwiGLU, rotary positions, masked key
// bias. The tokens of all crops lie one after another in one [T, D] matrix, so every linear layer
// runs once whatever the crop sizes; only attention looks at the layout.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "dino/arch/architecture.h"
#include "dino/model/backbone.h"
#include "dino/model/layers.h"

namespace dino::model {

/** The layout of a packed [T, D] matrix of tokens: groups of equally long sequences, each beginning
 * with CLS. */
struct TokenLayout {
  struct Group {
    std::int64_t sequences = 0;  ///< B
    std::int64_t tokens = 0;     ///< N, including CLS and registers
    std::int64_t first_row = 0;
  };
  std::vector<Group> groups;

  void add(std::int64_t sequences, std::int64_t tokens);
  std::int64_t rows() const;       ///< T
  std::int64_t sequences() const;  ///< S
  torch::Tensor cls_rows() const;  ///< [S] int64, the row of each sequence's CLS token
};

/** The parameters of one block under their canonical names (norm1, attn.qkv, attn.proj, ls1.gamma,
 * norm2, mlp.fc1, mlp.fc2 or mlp.w12, mlp.w3, ls2.gamma). */
struct Block : torch::nn::Module {
  /** `layer_scale` is the initial gain of LayerScale, if the architecture has it. */
  Block(const arch::Vit& vit, double layer_scale, torch::Generator generator);
  /** The bias [3D] of queries, keys and values; the key part is zero if the architecture masks it.
   */
  torch::Tensor qkv_bias() const;

  std::shared_ptr<Affine> norm1, qkv, proj, norm2;
  std::shared_ptr<Affine> fc1, fc2;  ///< for SwiGLU w12 and w3
  torch::Tensor ls1, ls2;            ///< [D]; undefined without layer scale
  torch::Tensor key_mask;            ///< [3D] constant; undefined unless the key bias is masked
};

/** Stochastic depth: draws factors [depth, 2, S] of the two residual branches of each block and
 * sequence, 0 where it is dropped. By DropPath::Linear, block i drops each sequence by itself with
 * probability rate * i / (depth - 1), and the others count 1/keep. By DropPath::Subset, each branch
 * of every block keeps floor(B * (1 - rate)) random sequences of the B of a group, at least one,
 * which count B / kept. Undefined if nothing is dropped. */
torch::Tensor draw_drop_path(DropPath rule, double rate, std::int64_t depth,
                             const TokenLayout& layout, torch::Generator generator);

/** Repeats the factors [S] of one branch for every token of their sequence: [T]. */
torch::Tensor factors_per_row(const torch::Tensor& factors, const TokenLayout& layout);

/** The arguments of a block besides its input. */
struct BlockPass {
  const TokenLayout& layout;
  /// Rotation table [2, P, d] per group; empty without RoPE
  const std::vector<torch::Tensor>& rope;
  torch::Tensor drop = {};  ///< [2, S] or undefined
  bool cls_only = false;    ///< compute only the CLS rows
  Precision precision = Precision::Fp32;
};

/** Splits the projections `qkv` [T, 3D] of a group into heads and applies RoPE to queries and keys:
 * [3, B, h, N, d]. */
torch::Tensor split_heads(const torch::Tensor& qkv, const arch::Vit& vit, const BlockPass& pass,
                          std::size_t group);

/** The reference implementation of a block, composed of Torch operations; differentiable, on any
 * device. x [T, D] fp32 -> [T, D], or [S, D] with cls_only. */
torch::Tensor block_forward(const Block& block, const arch::Vit& vit, const torch::Tensor& x,
                            const BlockPass& pass);

}  // namespace dino::model
