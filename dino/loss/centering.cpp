#include "dino/loss/centering.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <vector>

#include "dino/cpu/kernels.h"
#include "dino/tensor/cpu_rows.h"

namespace dino::loss {

using tensor::cpu_type;
using tensor::row_of;

Targets center_and_sharpen(const torch::Tensor& logits, const torch::Tensor& center,
                           double temperature) {
  const torch::NoGradGuard no_grad;
  const std::int64_t rows = logits.size(0), prototypes = logits.size(1);
  if (!logits.device().is_cpu()) {
    const torch::Tensor log_p =
        ((logits.to(torch::kFloat32) - center) / temperature).log_softmax(1);
    const torch::Tensor p = log_p.exp();
    return {p, -(p * log_p).sum(torch::kFloat64) / rows};
  }
  const torch::Tensor source = logits.contiguous(), shift = center.contiguous();
  Targets targets{torch::empty({rows, prototypes}), {}};
  std::vector<double> entropies(static_cast<std::size_t>(rows));
  const auto& kernels = cpu::kernels();
  at::parallel_for(0, rows, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r) {
      entropies[static_cast<std::size_t>(r)] =
          kernels.softmax_row(cpu_type(source), row_of(source, r), shift.data_ptr<float>(),
                              static_cast<float>(1.0 / temperature),
                              targets.probabilities.data_ptr<float>() + r * prototypes, prototypes);
    }
  });
  double mean = 0;
  for (const double entropy : entropies) mean += entropy / static_cast<double>(rows);
  targets.entropy = torch::tensor(mean, torch::kFloat64);
  return targets;
}

void update_center(torch::Tensor& center, const torch::Tensor& mean, double momentum) {
  const torch::NoGradGuard no_grad;
  center.mul_(momentum).add_(mean, 1.0 - momentum);
}

}  // namespace dino::loss
