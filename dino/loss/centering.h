// Teacher targets of DINO: centering prevents collapse to one prototype, sharpening prevents the
// uniform distribution (Caron et al. 2021, section 3.1 "Avoiding collapse", equation 4).
#pragma once
#include <torch/types.h>

namespace dino::loss {

struct Targets {
  torch::Tensor probabilities;  ///< [R, K] fp32; rows sum to 1
  torch::Tensor entropy;        ///< fp64 without dimensions: the mean over rows, nats; 0 = one-hot,
                                ///< ln K = uniform
};

/** softmax((logits - center) / temperature), for logits [R, K] fp32 or bf16, center [K] fp32 and
 * temperature > 0. Without gradient. */
Targets center_and_sharpen(const torch::Tensor& logits, const torch::Tensor& center,
                           double temperature);

/** center <- momentum * center + (1 - momentum) * mean, in place; `mean` [K] is the mean of this
 * step's teacher logits. Call it after computing the targets of the step, which must not depend on
 * the step's own logits. */
void update_center(torch::Tensor& center, const torch::Tensor& mean, double momentum);

}  // namespace dino::loss
