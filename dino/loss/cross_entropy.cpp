#include "dino/loss/cross_entropy.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/cpu/kernels.h"
#include "dino/tensor/cpu_rows.h"

namespace dino::loss {

using tensor::cpu_type;
using tensor::row_of;
namespace {

/** The gradient is made in the forward pass, in the logits' own memory where `overwrite` allows it:
 * the loss is a sum over rows, nothing later is needed. */
class FusedCrossEntropy : public torch::autograd::Function<FusedCrossEntropy> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& given, const torch::Tensor& targets,
                               const Facing* facing, double temperature, bool overwrite) {
    const torch::Tensor logits =
        overwrite ? given.detach() : given.detach().clone(torch::MemoryFormat::Contiguous);
    const std::int64_t rows = logits.size(0), prototypes = logits.size(1);
    const float* target = targets.data_ptr<float>();
    std::vector<double> losses(static_cast<std::size_t>(rows));
    const auto& kernels = cpu::kernels();
    at::parallel_for(0, rows, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r) {
        const Facing& f = facing[r];
        const std::array<const float*, 2> of_row = {target + f.targets[0] * prototypes,
                                                    target + f.targets[1] * prototypes};
        losses[static_cast<std::size_t>(r)] =
            f.weight *
            kernels.cross_entropy_row({.prototypes = prototypes,
                                       .logits = row_of(logits, r),
                                       .targets = of_row.data(),
                                       .target_count = f.count,
                                       .inverse_temperature = static_cast<float>(1.0 / temperature),
                                       .gradient_scale = static_cast<float>(f.weight),
                                       .type = cpu_type(logits)});
      }
    });
    double total = 0;
    for (const double loss : losses) total += loss;
    context->saved_data["gradient"] = logits;
    return torch::tensor(static_cast<float>(total));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list output) {
    if (!context->saved_data["gradient"].isTensor())
      fail(ErrorKind::Usage,
           "[cross_entropy] backward was called twice: the gradient lies in the logits' memory and "
           "is handed out once");
    torch::Tensor gradient = context->saved_data["gradient"].toTensor();
    context->saved_data["gradient"] = torch::IValue();
    const float factor = output[0].item<float>();
    if (factor != 1.0F) gradient.mul_(factor);
    return {gradient, {}, {}, {}, {}};
  }
};

/** The same by Torch's operations, on any device. */
torch::Tensor composed(const torch::Tensor& logits, const torch::Tensor& targets,
                       std::span<const Facing> facing, double temperature) {
  std::vector<std::int64_t> first, second;
  std::vector<float> weights, seconds;
  for (const Facing& f : facing) {
    first.push_back(f.targets[0]);
    second.push_back(f.targets[1]);
    weights.push_back(static_cast<float>(f.weight));
    seconds.push_back(f.count > 1 ? 1.0F : 0.0F);
  }
  const auto there = [&](const auto& values) { return torch::tensor(values, logits.device()); };
  const torch::Tensor sum = targets.index_select(0, there(first)) +
                            targets.index_select(0, there(second)) * there(seconds).unsqueeze(1);
  const torch::Tensor log_p = logits.to(torch::kFloat32).div(temperature).log_softmax(1);
  return -((sum * log_p).sum(1) * there(weights)).sum();
}

}  // namespace

torch::Tensor cross_entropy(torch::Tensor logits, const torch::Tensor& targets,
                            std::span<const Facing> facing, double temperature) {
  DINO_ASSERT(logits.size(0) == std::ssize(facing) && logits.size(1) == targets.size(1));
  if (!logits.device().is_cpu()) return composed(logits, targets, facing, temperature);
  const bool sole_reader =
      logits.is_contiguous() && logits.use_count() == 1 && logits.storage().use_count() == 1;
  return FusedCrossEntropy::apply(logits, targets.contiguous(), facing.data(), temperature,
                                  sole_reader);
}

}  // namespace dino::loss
