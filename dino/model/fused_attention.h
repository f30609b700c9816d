// Attention of the sequences of a slab, on the packed projections, forward and backward.
#pragma once
#include "dino/model/fused_tape.h"

namespace dino::model::fused {

/** What attention needs to know besides its inputs. */
struct AttentionPass {
  Slab slab;  ///< of the sequences that it takes
  std::int64_t heads = 0;
  Tensor rope;              ///< [2, P, d] fp32 cosines and sines, or undefined
  std::int64_t prefix = 1;  ///< tokens before the patches, which are not rotated
};

inline AttentionPass attention_pass(const Pass& pass, std::size_t block, const Slab& taken) {
  return {.slab = taken,
          .heads = pass.options.heads,
          .rope = pass.rope_of(block, taken),
          .prefix = 1 + pass.options.registers};
}

/** Fills t.heads and t.logsumexp from t.qkv (CLS-only: and t.query), whose patches are rotated. */
void attention_forward(BlockTape& t, const AttentionPass& pass);

/** Gradient [T, 3D] of the packed projections (CLS-only: [T, 2D], and `dquery` [taken, D]). */
Tensor attention_backward(const BlockTape& t, const AttentionPass& pass, const Tensor& dheads,
                          Tensor& dquery);

}  // namespace dino::model::fused
