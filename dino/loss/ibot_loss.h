// The masked-patch objective (iBOT, Zhou et al. 2022, equation 2; DINOv2, section 4): for every
// patch that the student did not see, it predicts the teacher's distribution of that patch.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <span>

namespace dino::loss {

/** (1 / crops) * sum_j weights[j] * -sum_k targets[j][k] * log softmax(logits[j] / temperature)[k],
 * over the M masked patches of a batch, for logits [M, K] fp32 or bf16 and targets [M, K] fp32.
 * With a weight of 1 / (masked patches of the same crop), this is the mean over all crops, unmasked
 * ones included, of the mean over the masked patches of a crop. 0 if nothing is masked. Scalar
 * fp32, differentiable in logits, once; its gradient takes the memory of logits that are given
 * away: see cross_entropy(). */
torch::Tensor ibot_loss(torch::Tensor logits, const torch::Tensor& targets,
                        std::span<const float> weights, std::int64_t crops, double temperature);

}  // namespace dino::loss
