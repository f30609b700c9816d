// The KoLeo regularizer (Sablayrolles et al. 2019, equation 2; DINOv2, section 4): features of a
// batch repel their nearest neighbors, which spreads them over the sphere.
#pragma once
#include <torch/types.h>

namespace dino::loss {

/** -mean_i log |x_i - x_n(i)|, for the rows x_i of `features` [B, D], B >= 2, divided by their
 * norms, where n(i) is the row nearest to i. Scalar fp32, differentiable in both rows of each
 * distance. Batches are not joined over ranks: each looks for neighbors in its own, as the
 * reference does. */
torch::Tensor koleo_loss(const torch::Tensor& features);

}  // namespace dino::loss
