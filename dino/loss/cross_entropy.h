// What the losses over prototypes have in common: cross-entropies of rows of logits with rows of
// targets, weighted and summed.
#pragma once
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <span>

namespace dino::loss {

/** What one row of logits faces. */
struct Facing {
  std::array<std::int64_t, 2> targets = {};  ///< rows of the targets
  int count = 0;                             ///< how many of them count: 1 or 2
  double weight = 0;
};

/** sum_r weight_r * sum_{t of r} -sum_k targets[t][k] * log softmax(logits[r] / temperature)[k],
 * for logits [R, K] fp32 or bf16, targets [T, K] fp32 and one Facing for each row of logits. Scalar
 * fp32, differentiable in logits.
 * On the CPU the targets that face one row are summed before a single softmax, and the gradient is
 * made in the same pass, so that backward can be called once (Error{Usage}). Give the logits away,
 * cross_entropy(std::move(x), ...), and that gradient takes their memory: R x K values then exist
 * once. Logits that somebody else still holds, or shares memory with, are left as they are. */
torch::Tensor cross_entropy(torch::Tensor logits, const torch::Tensor& targets,
                            std::span<const Facing> facing, double temperature);

}  // namespace dino::loss
