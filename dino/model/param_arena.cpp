#include "dino/model/param_arena.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

namespace dino::model {

ParamArena::ParamArena(torch::nn::Module& module, bool with_gradients) {
  constexpr std::int64_t kAlign = 16;  // floats in 64 bytes
  std::int64_t total = 0;
  for (const auto& item : module.named_parameters()) {
    const auto sizes = item.value().sizes();
    slices_.push_back({item.key(), total, item.value().numel(), sizes.vec()});
    total += (item.value().numel() + kAlign - 1) / kAlign * kAlign;
  }
  const torch::NoGradGuard no_grad;
  values_ = at::zeros({total}, at::kFloat);
  if (with_gradients) gradients_ = at::zeros({total}, at::kFloat);
  auto parameters = module.named_parameters();
  for (const auto& slice : slices_) {
    torch::Tensor& parameter = parameters[slice.name];
    const torch::Tensor view = values_.narrow(0, slice.offset, slice.count).view(slice.shape);
    view.copy_(parameter);
    parameter.set_data(view);
    parameter.set_requires_grad(with_gradients);
    if (with_gradients) {
      parameter.mutable_grad() = gradients_.narrow(0, slice.offset, slice.count).view(slice.shape);
    }
  }
}

}  // namespace dino::model
