// The output is not stored for the backward pass, which computes it again, in one pass with the
// gradient and its sums.
#include "dino/model/fused_ffn.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include "dino/cpu/kernels.h"
#include "dino/tensor/cpu_rows.h"

namespace dino::model::fused {

Tensor ffn_forward(arch::Ffn ffn, const Tensor& hidden) {
  constexpr std::int64_t kGrain = 16;  // rows
  const bool gated = ffn == arch::Ffn::SwiGlu;
  const std::int64_t dim = gated ? hidden.size(1) / 2 : hidden.size(1);
  Tensor out = torch::empty({hidden.size(0), dim}, hidden.scalar_type());
  const auto& kernels = cpu::kernels();
  at::parallel_for(0, hidden.size(0), kGrain, [&](std::int64_t first, std::int64_t last) {
    if (gated) {
      kernels.swiglu_forward(tensor::cpu_type(hidden), tensor::row_of(hidden, first),
                             tensor::row_of(out, first), last - first, dim);
    } else {
      kernels.gelu_forward(tensor::cpu_type(hidden), tensor::row_of(hidden, first),
                           tensor::row_of(out, first), (last - first) * dim);
    }
  });
  return out;
}

FfnBackward ffn_backward(arch::Ffn ffn, const Tensor& hidden, const Tensor& dout,
                         const Tensor& bias) {
  const auto& kernels = cpu::kernels();
  const cpu::Type type = tensor::cpu_type(hidden);
  if (ffn == arch::Ffn::SwiGlu) {  // the narrow array takes the output, the wide one the gradient
    kernels.swiglu_backward(type, hidden.data_ptr(), dout.data_ptr(), floats(bias), dout.size(0),
                            dout.size(1));
    return {.out = dout, .dhidden = hidden};
  }
  kernels.gelu_backward(type, hidden.data_ptr(), dout.data_ptr(), floats(bias), dout.size(0),
                        dout.size(1));
  return {.out = hidden, .dhidden = dout};
}

}  // namespace dino::model::fused
