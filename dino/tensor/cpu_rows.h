// What the kernels of dino/cpu need to know of a contiguous CPU tensor. For losses and networks
// alike, which do not include each other.
#pragma once
#include <torch/types.h>

#include "dino/cpu/kernels.h"

namespace dino::tensor {

/** The kernels' element type of a tensor that is fp32 or bf16. */
inline cpu::Type cpu_type(const torch::Tensor& x) {
  return x.scalar_type() == torch::kBFloat16 ? cpu::Type::BF16 : cpu::Type::F32;
}
/** Address of row r of a contiguous [R, K] tensor. */
inline void* row_of(const torch::Tensor& x, std::int64_t r) {
  return static_cast<char*>(x.data_ptr()) +
         r * x.size(1) * static_cast<std::int64_t>(x.element_size());
}

}  // namespace dino::tensor
