#include "dino/loss/koleo.h"

#include <torch/nn/functional/normalization.h>
#include <torch/types.h>

#include "dino/base/error.h"

namespace dino::loss {

torch::Tensor koleo_loss(const torch::Tensor& features, std::int64_t group) {
  if (features.dim() != 2 || features.size(0) < 1 || group < 0 ||
      (group > 0 && features.size(0) % group != 0))
    fail(ErrorKind::Usage,
         "[koleo_loss] features of shape {} in groups of {}: expected [B, D], B a "
         "multiple of the group",
         fmt::join(features.sizes().vec(), " x "), group);
  if (group == 0) group = features.size(0);
  if (group == 1) return features.to(torch::kFloat32).sum() * 0;
  constexpr double kEpsilon = 1e-8;  // the reference's: equal rows are finitely far apart
  namespace F = torch::nn::functional;
  const torch::Tensor x = F::normalize(features.to(torch::kFloat32),
                                       F::NormalizeFuncOptions().p(2).dim(1).eps(kEpsilon))
                              .view({-1, group, features.size(1)});  // [G, group, D]
  torch::Tensor nearest;                                             // [G, group, 1]
  {
    const torch::NoGradGuard no_grad;
    torch::Tensor similarity = x.bmm(x.transpose(1, 2));
    similarity.diagonal(0, 1, 2).fill_(-1);
    nearest = similarity.argmax(2, /*keepdim=*/true);
  }
  const torch::Tensor distance =
      (x - x.gather(1, nearest.expand_as(x)) + kEpsilon).norm(2, {2});  // [G, group]
  return -(distance + kEpsilon).log().mean();
}

}  // namespace dino::loss
