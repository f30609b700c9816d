// Helpers that pass rows of contiguous CPU tensors to the kernels of dino/cpu.
#pragma once
#include <torch/types.h>

#include "dino/cpu/kernels.h"

namespace dino::loss {

/** The kernels' element type for a tensor of fp32 or bf16. */
inline cpu::Type cpu_type(const torch::Tensor& x) {
  return x.scalar_type() == torch::kBFloat16 ? cpu::Type::BF16 : cpu::Type::F32;
}
/** The address of row r of a contiguous tensor [R, K]. */
inline void* row_of(const torch::Tensor& x, std::int64_t r) {
  return static_cast<char*>(x.data_ptr()) +
         r * x.size(1) * static_cast<std::int64_t>(x.element_size());
}

}  // namespace dino::loss
