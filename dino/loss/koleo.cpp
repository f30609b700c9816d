#include "dino/loss/koleo.h"

#include <torch/nn/functional/distance.h>
#include <torch/nn/functional/normalization.h>
#include <torch/types.h>

#include "dino/base/error.h"

namespace dino::loss {

torch::Tensor koleo_loss(const torch::Tensor& features) {
  if (features.dim() != 2 || features.size(0) < 2)
    fail(ErrorKind::Usage,
         "[koleo_loss] features of shape {}: expected [B, D] with at least 2 rows",
         fmt::join(features.sizes().vec(), " x "));
  constexpr double kEpsilon = 1e-8;  // the reference's: equal rows are finitely far apart
  namespace F = torch::nn::functional;
  const torch::Tensor x = F::normalize(features.to(torch::kFloat32),
                                       F::NormalizeFuncOptions().p(2).dim(1).eps(kEpsilon));
  torch::Tensor nearest;  // [B]
  {
    const torch::NoGradGuard no_grad;
    nearest = torch::mm(x, x.t()).fill_diagonal_(-1).argmax(1);
  }
  const torch::Tensor distance = F::pairwise_distance(
      x, x.index_select(0, nearest), F::PairwiseDistanceFuncOptions().p(2).eps(kEpsilon));  // [B]
  return -(distance + kEpsilon).log().mean();
}

}  // namespace dino::loss
