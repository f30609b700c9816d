// The stack of pre-norm transformer blocks (Dosovitskiy et al. 2021; DINO's vision_transformer.py)
// over packed tokens:
//   x += Attention(LN1 x);  x += MLP(LN2 x).
// The tokens of all crops lie one after another in one [T, D] matrix, so every linear layer runs
// once whatever the crop sizes; only attention looks at the layout.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "dino/model/backbone.h"
#include "dino/model/layers.h"

namespace dino::model {

/** Which rows of a packed [T, D] matrix are whose: groups of equally long sequences, each sequence
 * CLS first. */
struct TokenLayout {
  struct Group {
    std::int64_t sequences = 0;  ///< B
    std::int64_t tokens = 0;     ///< N of each, CLS included
    std::int64_t first_row = 0;
  };
  std::vector<Group> groups;

  void add(std::int64_t sequences, std::int64_t tokens);
  std::int64_t rows() const;       ///< T
  std::int64_t sequences() const;  ///< S
  torch::Tensor cls_rows() const;  ///< [S] int64: the row of each sequence's CLS token
};

struct EncoderOptions {
  std::int64_t dim = 384, depth = 12, heads = 6, hidden = 1536;
  double drop_path = 0;  ///< of the last block; block i has drop_path * i / (depth - 1)
};

/** Parameters of one block under the official names (norm1, attn.qkv, attn.proj, norm2, mlp.fc1,
 * mlp.fc2). */
struct Block : torch::nn::Module {
  Block(const EncoderOptions& options, torch::Generator generator);
  std::shared_ptr<Affine> norm1, qkv, proj, norm2, fc1, fc2;
};

/** Factors of the two residual branches of each block, per sequence: [depth, 2, S]; 0 drops the
 * branch, else 1/keep. Undefined = no dropping. */
torch::Tensor draw_drop_path(const EncoderOptions& options, std::int64_t sequences,
                             torch::Generator generator);

/** Factors of one branch, [S], repeated for every token of their sequence: [T]. */
torch::Tensor factors_per_row(const torch::Tensor& factors, const TokenLayout& layout);

/** Plain composition of one block; differentiable on any device. x [T, D] fp32 -> [T, D], or [S, D]
 * (CLS rows only) if cls_only. drop [2, S] or undefined. */
torch::Tensor block_forward(const Block& block, const EncoderOptions& options,
                            const torch::Tensor& x, const TokenLayout& layout,
                            const torch::Tensor& drop, bool cls_only, Precision precision);

/** All blocks in one autograd node with hand-written forward and backward on the CPU; same results
 * as the plain composition up to rounding. */
torch::Tensor fused_encoder(const std::vector<std::shared_ptr<Block>>& blocks,
                            const EncoderOptions& options, const torch::Tensor& x,
                            const TokenLayout& layout, const torch::Tensor& drop, bool cls_only,
                            Precision precision);

}  // namespace dino::model
