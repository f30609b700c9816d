// The DINO objective (Caron et al. 2021, equations 2 and 3): every student view predicts the
// teacher's distribution of every *other* view.
#pragma once
#include <torch/types.h>

namespace dino::loss {

/** Mean over the 2 * views - 2 pairs (teacher view t in {0, 1}, student view s != t) of the batch
 * mean of -sum_k targets[t][k] * log softmax(logits[s] / temperature)[k]. Pairs with a local view
 * are multiplied by `local_weight` (DINOv3, section 5.3; the number of pairs that the sum is
 * divided by stays). logits [views * B, K] fp32 or bf16 and targets [2 * B, K] fp32 are crop-major
 * (row = view * B + image); the first two views are the teacher's. Scalar fp32, differentiable in
 * logits, once; its gradient takes the memory of logits that are given away: see cross_entropy().
 * DINO, DINOv2 and DINOv3 write this sum in three ways that are equal. */
torch::Tensor dino_loss(torch::Tensor logits, const torch::Tensor& targets, std::int64_t batch_size,
                        double temperature, double local_weight = 1);

/** The same written as the paper does, pair by pair; slow, for tests. */
torch::Tensor dino_loss_by_pairs(const torch::Tensor& logits, const torch::Tensor& targets,
                                 std::int64_t batch_size, double temperature,
                                 double local_weight = 1);

}  // namespace dino::loss
