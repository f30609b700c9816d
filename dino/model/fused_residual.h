// The residual stream between two branches of the fused encoder: what the branch before adds, and
// the norm before the branch after, in one pass; forward and backward. Stochastic depth takes
// sequences away from a branch: their rows are not computed at all.
#pragma once
#include <vector>

#include "dino/model/fused_tape.h"

namespace dino::model::fused {

/** What branch 0 (attention) or 1 (MLP) of a block takes of a slab. */
Taken taken_by(const Pass& pass, std::size_t block, std::int64_t branch, const Slab& slab);

/** A branch's output, which is not yet part of the stream. */
struct Added {
  Tensor rows;  ///< [taken rows, D] of the compute type; undefined at the first norm
  const Taken* by = nullptr;
};

/** The stream x [S * n, D] plus what was added, and the norm of the rows that `next` takes. */
Normed add_norm(const Pass& pass, const Tensor& x, const Added& added, const Taken& next,
                const Tensor& gamma, const Tensor& beta);

/** out = x + added. */
void add(const Tensor& x, const Added& added, const Tensor& out);

/** Where the gradients of a norm's parameters, and of the bias of the branch before it, add up. */
struct NormSums {
  Tensor gamma, beta;  ///< [D]
  Tensor branch_bias;  ///< [D]; undefined before the first branch
};

/** Backward of add_norm(). dx [S * n, D], the gradient of the stream, gains the norm's, whose
 * output has gradient dy. Returns what the branch before receives, [its rows, D] of dy's type;
 * undefined without sums.branch_bias. */
Tensor norm_backward(const Tensor& dy, const Normed& normed, const Tensor& gamma,
                     const Taken& after, const Taken* before, const Tensor& dx,
                     const NormSums& sums);

/** What the last branch receives of dx, the gradient of the stream after it; adds its column sums
 * to branch_bias. */
Tensor branch_gradient(const Tensor& dx, const Taken& branch, torch::Dtype type,
                       const Tensor& branch_bias);

}  // namespace dino::model::fused
