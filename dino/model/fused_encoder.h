// The stack of blocks as one autograd node on the CPU: what training runs.
#pragma once
#include <torch/types.h>

#include <memory>
#include <vector>

#include "dino/model/encoder.h"

namespace dino::model {

/** The arguments of a pass besides blocks and tokens. */
struct EncoderPass {
  TokenLayout layout;
  torch::Tensor drop = {};  ///< [depth, 2, S] factors of stochastic depth, or undefined
  /// Rotation tables [2, P, d] per block, or one for all of them, and group; {{}} without RoPE
  std::vector<std::vector<torch::Tensor>> rope = {{}};
  bool cls_only = false;  ///< the last block computes only CLS
  Precision precision = Precision::Fp32;
};

/** All blocks in one autograd node with hand-written forward and backward on the CPU; same results
 * as the plain composition up to rounding. The width of heads must be even. Returns [T, D], or
 * [S, D] with cls_only. */
torch::Tensor fused_encoder(const std::vector<std::shared_ptr<Block>>& blocks,
                            const arch::Vit& options, const torch::Tensor& x,
                            const EncoderPass& pass);

}  // namespace dino::model
