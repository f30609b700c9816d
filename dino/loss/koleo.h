// The KoLeo regularizer (Sablayrolles et al. 2019, equation 2; DINOv2, section 4): features of a
// batch repel their nearest neighbors, which spreads them over the sphere.
#pragma once
#include <torch/types.h>

namespace dino::loss {

/** -mean_i log |x_i - x_n(i)|, for the rows x_i of `features` [B, D] divided by their norms, where
 * n(i) is the row nearest to i among the `group` rows that i belongs to; 0 = all. `group` divides B
 * (Error{Usage}). Scalar fp32, differentiable in both rows of each distance; 0 where a row is alone
 * in its group. Batches are not joined over ranks: each looks for neighbors in its own, as DINOv2
 * does. */
torch::Tensor koleo_loss(const torch::Tensor& features, std::int64_t group = 0);

}  // namespace dino::loss
