#include "dino/loss/sigreg.h"

#include <torch/types.h>

#include "dino/base/error.h"

namespace dino::loss {

torch::Tensor sigreg_loss(const torch::Tensor& features, torch::Generator generator,
                          const SigregOptions& options) {
  if (features.dim() != 2 || features.size(0) < 1)
    fail(ErrorKind::Usage, "[sigreg_loss] features of shape {}: expected [B, D]",
         fmt::join(features.sizes().vec(), " x "));
  const torch::Tensor x = features.to(torch::kFloat32);
  torch::Tensor directions =
      torch::randn({x.size(1), options.directions}, generator, torch::kFloat32);
  directions = (directions / directions.norm(2, {0}, /*keepdim=*/true)).to(x.device());
  const torch::Tensor t =
      torch::linspace(-options.range, options.range, options.knots, x.options());  // [T]
  const torch::Tensor normal = (-t.square() / 2).exp();
  const torch::Tensor angles = x.mm(directions).unsqueeze(2) * t;  // [B, S, T]
  // The standard normal's characteristic function is real: what is imaginary is all error.
  const torch::Tensor error =
      (angles.cos().mean(0) - normal).square() + angles.sin().mean(0).square();  // [S, T]
  const double step = 2 * options.range / static_cast<double>(options.knots - 1);
  torch::Tensor weights = normal * step;
  weights[0] *= 0.5;
  weights[options.knots - 1] *= 0.5;
  return error.matmul(weights).mean() * x.size(0);
}

}  // namespace dino::loss
