// Attention of the sequences of a slab, on the packed projections, forward and backward.
#pragma once
#include "dino/model/fused_tape.h"

namespace dino::model::fused {

/** Fills t.heads and t.logsumexp from t.qkv (CLS-only: and t.query). */
void attention_forward(BlockTape& t, const Slab& slab, std::int64_t heads);

/** Gradient [T, 3D] of the packed projections (CLS-only: [T, 2D], and `dquery` [S, D]). */
Tensor attention_backward(const BlockTape& t, const Slab& slab, std::int64_t heads,
                          const Tensor& dheads, Tensor& dquery);

}  // namespace dino::model::fused
