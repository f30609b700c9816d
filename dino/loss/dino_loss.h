// The DINO objective (Caron et al. 2021, equations 2 and 3): every student view predicts the
// teacher's distribution of every *other* view.
#pragma once
#include <torch/types.h>

namespace dino::loss {

/** Mean over the 2 * views - 2 pairs (teacher view t in {0, 1}, student view s != t) of the batch
 * mean of -sum_k targets[t][k] * log softmax(logits[s] / temperature)[k]. logits [views * B, K]
 * fp32 or bf16 and targets [2 * B, K] fp32 are crop-major (row = view * B + image); the first two
 * views are the teacher's. Scalar fp32, differentiable in logits. On the CPU the teacher rows that
 * face one student row are summed before a single softmax, and the gradient is made in the same
 * pass, so that backward can be called once (Error{Usage}). Give the logits away,
 * dino_loss(std::move(x),
 * ...), and that gradient takes their memory: crops x B x K values then exist once. Logits that
 * somebody else still holds, or shares memory with, are left as they are. */
torch::Tensor dino_loss(torch::Tensor logits, const torch::Tensor& targets, std::int64_t batch_size,
                        double temperature);

/** The same written as the paper does, pair by pair; slow, for tests and other devices. */
torch::Tensor dino_loss_by_pairs(const torch::Tensor& logits, const torch::Tensor& targets,
                                 std::int64_t batch_size, double temperature);

}  // namespace dino::loss
