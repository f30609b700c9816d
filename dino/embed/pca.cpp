#include "dino/embed/pca.h"

#include <torch/types.h>

#include <algorithm>

#include "dino/base/error.h"

namespace dino::embed {

Pca fit_pca(const torch::Tensor& rows, std::int64_t k) {
  const torch::NoGradGuard no_grad;
  if (!rows.defined() || rows.dim() != 2 || rows.size(0) < 2 || rows.size(1) < 1 || k < 1)
    fail(ErrorKind::Usage, "[pca] needs at least two rows [n, D] and one component");
  const auto x = rows.to(torch::kFloat64);
  if (!x.isfinite().all().item<bool>())
    fail(ErrorKind::Usage, "[pca] features are not finite; look for NaN in the network");
  Pca pca;
  pca.mean = x.mean(0);
  const auto centered = x - pca.mean;
  const auto covariance =
      torch::mm(centered.t(), centered) / static_cast<double>(rows.size(0) - 1);  // [D, D]
  const auto [variances, vectors] = torch::linalg_eigh(covariance);               // ascending
  k = std::min(k, rows.size(1));
  auto components = vectors.flip(1).narrow(1, 0, k).t().contiguous();  // [k, D]
  // An eigenvector's sign is arbitrary: fix it, or colors would change from machine to machine.
  const auto largest =
      components.gather(1, components.abs().argmax(1, /*keepdim=*/true));  // [k, 1]
  pca.components = components * torch::where(largest < 0, -1.0, 1.0);
  const auto spread = variances.flip(0).clamp_min(0);
  pca.explained = spread.narrow(0, 0, k) / spread.sum().clamp_min(1e-300);
  return pca;
}

torch::Tensor project(const Pca& pca, const torch::Tensor& rows) {
  const torch::NoGradGuard no_grad;
  return torch::matmul(rows.to(torch::kFloat64) - pca.mean, pca.components.t());  // [..., k]
}

ColorRange fit_color_range(const torch::Tensor& scores, double quantile) {
  const torch::NoGradGuard no_grad;
  const auto sorted = std::get<0>(scores.sort(0));  // [n, 3]
  const std::int64_t last = sorted.size(0) - 1;
  const auto low = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(quantile * static_cast<double>(last)), 0, last);
  return {sorted[low].clone(), sorted[last - low].clone()};
}

image::Image to_rgb(const torch::Tensor& scores, const ColorRange& range) {
  const torch::NoGradGuard no_grad;
  if (scores.dim() != 3 || scores.size(2) != 3)
    fail(ErrorKind::Usage, "[pca] colors need scores [gh, gw, 3]");
  const auto scaled = (scores - range.low) / (range.high - range.low).clamp_min(1e-12);
  const auto bytes =
      (scaled.clamp(0, 1) * 255).round().to(torch::kUInt8).contiguous();  // [gh, gw, 3]
  image::Image out(static_cast<int>(scores.size(1)), static_cast<int>(scores.size(0)), 3);
  std::copy_n(bytes.const_data_ptr<std::uint8_t>(), out.pixels.size(), out.pixels.begin());
  return out;
}

}  // namespace dino::embed
