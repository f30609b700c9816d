#include "dino/optim/flat_ops.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "dino/cpu/kernels.h"

namespace dino::optim {
namespace {

constexpr std::int64_t kGrain = 64 * 1024;  // floats a thread takes at least

double correction(double beta, std::int64_t steps) {
  return 1.0 - std::pow(beta, static_cast<double>(steps));
}

/** Fixed pieces, summed in order: the result does not depend on the number of threads. */
SquareSums sums_of_squares_by_kernel(const float* x, std::span<const Stretch> stretches) {
  struct Piece {
    std::size_t stretch;
    std::int64_t begin, count;
    double squares;
  };
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < stretches.size(); ++i)
    for (std::int64_t begin = 0; begin < stretches[i].count; begin += kGrain)
      pieces.push_back(
          {i, stretches[i].offset + begin, std::min(kGrain, stretches[i].count - begin), 0});
  at::parallel_for(
      0, static_cast<std::int64_t>(pieces.size()), 1, [&](std::int64_t first, std::int64_t last) {
        for (auto p = static_cast<std::size_t>(first); p < static_cast<std::size_t>(last); ++p)
          pieces[p].squares = cpu::kernels().sum_of_squares(x + pieces[p].begin, pieces[p].count);
      });
  SquareSums sums{std::vector<double>(stretches.size())};
  for (const Piece& piece : pieces) {
    sums.of_stretch[piece.stretch] += piece.squares;
    sums.total += piece.squares;
  }
  return sums;
}

}  // namespace

SquareSums sums_of_squares(const torch::Tensor& x, std::span<const Stretch> stretches) {
  if (x.is_cpu()) return sums_of_squares_by_kernel(x.const_data_ptr<float>(), stretches);
  std::vector<torch::Tensor> sums;
  for (const Stretch& s : stretches)
    sums.push_back(x.narrow(0, s.offset, s.count).to(torch::kFloat64).square().sum());
  if (sums.empty()) return {};
  const torch::Tensor all = torch::stack(sums).cpu();
  return {{all.const_data_ptr<double>(), all.const_data_ptr<double>() + all.numel()},
          all.sum().item<double>()};
}

// One loop over the buffer: most tensors are too small to be worth a second thread of their own.
void adamw(const AdamWBuffers& buffers, std::span<const AdamWStretch> stretches,
           std::array<double, 2> betas, double eps) {
  if (!buffers.values.is_cpu()) return adamw_by_tensors(buffers, stretches, betas, eps);
  float* values = buffers.values.data_ptr<float>();
  const float* gradients = buffers.gradients.const_data_ptr<float>();
  float* first_moment = buffers.first_moment.data_ptr<float>();
  float* second_moment = buffers.second_moment.data_ptr<float>();
  at::parallel_for(0, buffers.values.numel(), kGrain, [&](std::int64_t first, std::int64_t last) {
    for (const AdamWStretch& update : stretches) {
      const std::int64_t begin = std::max(first, update.stretch.offset);
      const std::int64_t end = std::min(last, update.stretch.offset + update.stretch.count);
      if (begin >= end) continue;
      cpu::kernels().adamw(
          {.value = values + begin,
           .gradient = gradients + begin,
           .first_moment = first_moment + begin,
           .second_moment = second_moment + begin,
           .gradient_scale = static_cast<float>(update.gradient_scale),
           .lr = static_cast<float>(update.lr),
           .beta1 = static_cast<float>(betas[0]),
           .beta2 = static_cast<float>(betas[1]),
           .eps = static_cast<float>(eps),
           .weight_decay = static_cast<float>(update.weight_decay),
           .bias_correction1 = static_cast<float>(correction(betas[0], update.steps)),
           .bias_correction2 = static_cast<float>(correction(betas[1], update.steps))},
          end - begin);
    }
  });
}

void adamw_by_tensors(const AdamWBuffers& buffers, std::span<const AdamWStretch> stretches,
                      std::array<double, 2> betas, double eps) {
  const torch::NoGradGuard no_grad;
  for (const AdamWStretch& update : stretches) {
    const auto part = [&](const torch::Tensor& x) {
      return x.narrow(0, update.stretch.offset, update.stretch.count);
    };
    torch::Tensor value = part(buffers.values), mean = part(buffers.first_moment),
                  square = part(buffers.second_moment);
    const torch::Tensor gradient = part(buffers.gradients) * update.gradient_scale;
    value.mul_(1 - update.lr * update.weight_decay);
    mean.mul_(betas[0]).add_(gradient, 1 - betas[0]);
    square.mul_(betas[1]).addcmul_(gradient, gradient, 1 - betas[1]);
    const torch::Tensor scale = (square / correction(betas[1], update.steps)).sqrt_().add_(eps);
    value.addcdiv_(mean, scale, -update.lr / correction(betas[0], update.steps));
  }
}

void moving_average(torch::Tensor& to, const torch::Tensor& from, double momentum) {
  const torch::NoGradGuard no_grad;
  if (!to.is_cpu()) {
    to.mul_(momentum).add_(from, 1 - momentum);
    return;
  }
  float* target = to.data_ptr<float>();
  const float* source = from.const_data_ptr<float>();
  at::parallel_for(0, to.numel(), kGrain, [&](std::int64_t first, std::int64_t last) {
    cpu::kernels().ema(target + first, source + first, static_cast<float>(momentum), last - first);
  });
}

}  // namespace dino::optim
