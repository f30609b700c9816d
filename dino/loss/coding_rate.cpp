#include "dino/loss/coding_rate.h"

#include <torch/nn/functional/normalization.h>
#include <torch/types.h>

#include "dino/base/error.h"

namespace dino::loss {

torch::Tensor coding_rate_loss(const torch::Tensor& features, double distortion) {
  if (features.dim() != 2 || features.size(0) < 1)
    fail(ErrorKind::Usage, "[coding_rate_loss] features of shape {}: expected [B, D]",
         fmt::join(features.sizes().vec(), " x "));
  namespace F = torch::nn::functional;
  const torch::Tensor z =
      F::normalize(features.to(torch::kFloat32), F::NormalizeFuncOptions().p(2).dim(1));
  const std::int64_t rows = z.size(0), dim = z.size(1);
  const torch::Tensor gram = rows < dim ? z.mm(z.t()) : z.t().mm(z);
  const double scale = static_cast<double>(dim) / (static_cast<double>(rows) * distortion);
  const torch::Tensor identity = torch::eye(gram.size(0), gram.options());
  // Positive definite: the determinant is that of a triangle of Cholesky's.
  const torch::Tensor triangle = at::linalg_cholesky(identity + gram * scale);
  return -triangle.diagonal().log().sum();
}

}  // namespace dino::loss
