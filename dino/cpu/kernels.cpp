// Picks the instruction set at run time.
#include "dino/cpu/kernels.h"

#include <algorithm>
#include <atomic>

#include "dino/cpu/attention.h"

namespace dino::cpu {

namespace baseline {
extern const Kernels kKernels;
}
#if defined(__x86_64__)
namespace avx512 {
extern const Kernels kKernels;
}
namespace avx512_bf16 {
extern const Kernels kKernels;
}
#endif

std::vector<const Kernels*> supported_kernels() {
  std::vector<const Kernels*> supported = {&baseline::kKernels};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512cd")) {
    supported.push_back(&avx512::kKernels);
    if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni"))
      supported.push_back(&avx512_bf16::kKernels);
  }
#endif
  return supported;
}

namespace {
std::atomic<const Kernels*>& chosen() {
  static std::atomic<const Kernels*> set = supported_kernels().back();
  return set;
}
}  // namespace

const Kernels& kernels() {
  return *chosen().load(std::memory_order_relaxed);
}

KernelsForTesting::KernelsForTesting(const Kernels& set) : before_(kernels()) {
  chosen() = &set;
}
KernelsForTesting::~KernelsForTesting() {
  chosen() = &before_;
}

std::int64_t attention_scratch_bytes(std::int64_t keys, std::int64_t head_dim) {
  const std::int64_t rows = std::max<std::int64_t>(keys, 48) + 16, dim = head_dim + 16;
  // In 32-bit words: rows, transposed keys and values, packed keys, queries and gradients; then
  // three buffers of scores and two of sums.
  return 4 * (6 * rows * dim + 3 * 48 * (keys + 16) + 3 * rows * dim + 4 * rows) + 64 * 16;
}

}  // namespace dino::cpu
