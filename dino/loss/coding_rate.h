// The coding rate of features (Yu et al. 2020), which SimDINO (Wu et al. 2025) raises in the place
// of centering and sharpening: the more directions of the sphere a batch fills, the larger. A rival
// of KoLeo.
#pragma once
#include <torch/types.h>

namespace dino::loss {

/** -1/2 log det(I + D / (B * distortion) Z^T Z), for the rows of `features` [B, D] divided by their
 * norms, Z. Scalar fp32, differentiable; computed with the smaller of Z^T Z and Z Z^T, which give
 * the same. `distortion` is the square of the precision that features are coded with. */
torch::Tensor coding_rate_loss(const torch::Tensor& features, double distortion = 0.5);

}  // namespace dino::loss
