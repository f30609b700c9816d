// Picks the instruction set at run time.
#include "dino/image/pixels/kernels.h"

#include <atomic>

#include "dino/image/pixels/kernels_for_testing.h"

namespace dino::image {

const PixelKernels portable::kKernels = {
    "portable",          portable::scale,      portable::recolor,  portable::box_blur,
    portable::to_floats, portable::to_bfloats, portable::to_planes};

#if defined(__x86_64__)
namespace avx512 {
extern const PixelKernels kKernels;
}
#endif

std::span<const PixelKernels* const> all_kernels() {
#if defined(__x86_64__)
  static constexpr const PixelKernels* kAll[] = {&portable::kKernels, &avx512::kKernels};
  static const bool has_avx512 =  // from Ice Lake and Zen 4 on
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vbmi") &&
      __builtin_cpu_supports("avx512vnni");
  return std::span(kAll).first(has_avx512 ? 2 : 1);
#else
  static constexpr const PixelKernels* kAll[] = {&portable::kKernels};
  return kAll;
#endif
}

namespace {
std::atomic<const PixelKernels*>& chosen() {
  static std::atomic<const PixelKernels*> table = all_kernels().back();
  return table;
}
}  // namespace

const PixelKernels& kernels() {
  return *chosen().load(std::memory_order_relaxed);
}

PixelKernelsForTesting::PixelKernelsForTesting(const PixelKernels& table) : before_(kernels()) {
  chosen() = &table;
}
PixelKernelsForTesting::~PixelKernelsForTesting() {
  chosen() = &before_;
}

}  // namespace dino::image
