#include "dino/loss/dino_loss.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <array>
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
class FusedDinoLoss : public torch::autograd::Function<FusedDinoLoss> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& given, const torch::Tensor& targets,
                               std::int64_t batch_size, double temperature, bool overwrite) {
    const torch::Tensor logits =
        overwrite ? given.detach() : given.detach().clone(torch::MemoryFormat::Contiguous);
    const std::int64_t rows = logits.size(0), prototypes = logits.size(1);
    const std::int64_t views = rows / batch_size;
    const double terms = static_cast<double>((2 * views - 2) * batch_size);
    const float* target = targets.data_ptr<float>();
    std::vector<double> losses(static_cast<std::size_t>(rows));
    const auto& kernels = cpu::kernels();
    at::parallel_for(0, rows, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r) {
        const std::int64_t view = r / batch_size, image = r % batch_size;
        const float* view0 = target + image * prototypes;
        const float* view1 = target + (batch_size + image) * prototypes;
        // A global view faces the other teacher view only; a local view faces both.
        const std::array<const float*, 2> facing = {view == 0 ? view1 : view0, view1};
        losses[static_cast<std::size_t>(r)] =
            kernels.cross_entropy_row({.prototypes = prototypes,
                                       .logits = row_of(logits, r),
                                       .targets = facing.data(),
                                       .target_count = view < 2 ? 1 : 2,
                                       .inverse_temperature = static_cast<float>(1.0 / temperature),
                                       .gradient_scale = static_cast<float>(1.0 / terms),
                                       .type = cpu_type(logits)});
      }
    });
    double total = 0;
    for (const double loss : losses) total += loss;
    context->saved_data["gradient"] = logits;
    return torch::tensor(static_cast<float>(total / terms));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list output) {
    if (!context->saved_data["gradient"].isTensor())
      fail(ErrorKind::Usage,
           "[dino_loss] backward was called twice: the gradient lies in the logits' memory and is "
           "handed out once; use dino_loss_by_pairs() to keep the graph");
    torch::Tensor gradient = context->saved_data["gradient"].toTensor();
    context->saved_data["gradient"] = torch::IValue();
    const float factor = output[0].item<float>();
    if (factor != 1.0F) gradient.mul_(factor);
    return {gradient, {}, {}, {}, {}};
  }
};

void check(const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t batch_size) {
  if (batch_size < 1 || logits.dim() != 2 || logits.size(0) % batch_size != 0 ||
      logits.size(0) < 2 * batch_size || targets.dim() != 2 || targets.size(0) != 2 * batch_size ||
      targets.size(1) != logits.size(1)) {
    fail(ErrorKind::Usage,
         "[dino_loss] logits {} and targets {} with batch {}: expected [views * B, K] with at "
         "least 2 views, and [2 * B, K]",
         fmt::join(logits.sizes().vec(), " x "), fmt::join(targets.sizes().vec(), " x "),
         batch_size);
  }
}

}  // namespace

torch::Tensor dino_loss(torch::Tensor logits, const torch::Tensor& targets, std::int64_t batch_size,
                        double temperature) {
  check(logits, targets, batch_size);
  if (!logits.device().is_cpu()) {
    return dino_loss_by_pairs(logits, targets, batch_size, temperature);
  }
  const bool sole_reader =
      logits.is_contiguous() && logits.use_count() == 1 && logits.storage().use_count() == 1;
  return FusedDinoLoss::apply(logits, targets.contiguous(), batch_size, temperature, sole_reader);
}

torch::Tensor dino_loss_by_pairs(const torch::Tensor& logits, const torch::Tensor& targets,
                                 std::int64_t batch_size, double temperature) {
  check(logits, targets, batch_size);
  const auto student = logits.to(torch::kFloat32).div(temperature).split(batch_size);
  const auto teacher = targets.split(batch_size);
  torch::Tensor total;
  int pairs = 0;
  for (std::size_t t = 0; t < teacher.size(); ++t) {
    for (std::size_t s = 0; s < student.size(); ++s) {
      if (s == t) continue;
      const torch::Tensor loss = -(teacher[t] * student[s].log_softmax(1)).sum(1).mean();
      total = total.defined() ? total + loss : loss;
      ++pairs;
    }
  }
  return total / pairs;
}

}  // namespace dino::loss
