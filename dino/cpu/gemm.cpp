#include "dino/cpu/gemm.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

namespace dino::cpu {
namespace {

constexpr std::size_t kHugePage = std::size_t{1} << 21;

std::int64_t round_up(std::int64_t n, std::int64_t step) {
  return (n + step - 1) / step * step;
}

std::int64_t per_word(GemmType type) {
  switch (type) {
    case GemmType::F32:
      return 1;
    case GemmType::BF16:
      return kernels().bf16_per_word;
    case GemmType::I8:
      return 4;
  }
  return 1;
}

/** Of a small product that stays in the cache. */
double best_seconds(GemmType type) {
  constexpr std::int64_t kRows = 48, kOutputs = 128, kInputs = 256;
  const std::vector<float> weight(kOutputs * kInputs, 1.0F);
  const PackedWeights packed(type, weight.data(), kOutputs, kInputs);
  const AlignedBytes x(kRows * kInputs * sizeof(float)), out(kRows * kOutputs * sizeof(float));
  std::memset(x.data(), 0, x.size());
  const Gemm gemm{.weights = &packed,
                  .rows = kRows,
                  .x = x.data(),
                  .x_stride = kInputs,
                  .out = out.data(),
                  .out_stride = kOutputs};
  double best = 1e9;
  for (int i = 0; i < 8; ++i) {
    const auto start = std::chrono::steady_clock::now();
    kernels().gemm(gemm);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::min(best, elapsed.count());
  }
  return best;
}

}  // namespace

bool bf16_pairs_pay() {
  static const bool pay = [] {
    if (kernels().bf16_per_word != 2) return false;
    return best_seconds(GemmType::BF16) < best_seconds(GemmType::F32);
  }();
  return pay;
}

AlignedBytes::AlignedBytes(std::size_t size) : size_(size) {
  const bool large = size >= kHugePage;
  const std::size_t alignment = large ? kHugePage : 64;
  const std::size_t rounded = (size + 64 + alignment - 1) / alignment * alignment;
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
  if (!memory_) throw std::bad_alloc();
#if defined(__linux__)
  // Fewer pages to find: packed weights are read from end to end, over and over.
  if (large) ::madvise(memory_.get(), rounded, MADV_HUGEPAGE);
#endif
}

void AlignedBytes::Free::operator()(std::byte* p) const {
  std::free(p);
}

PackedWeights::PackedWeights(GemmType type, const float* weight, std::int64_t outputs,
                             std::int64_t inputs, bool gated)
    : type_(type),
      outputs_(outputs),
      inputs_(inputs),
      words_(round_up(inputs, per_word(type)) / per_word(type)),
      gated_(gated) {
  const std::int64_t panel = kernels().panel;
  const std::int64_t half = gated ? outputs / 2 : outputs;
  const std::int64_t padded = round_up(half, panel) * (gated ? 2 : 1);
  panels_ = AlignedBytes(static_cast<std::size_t>(padded * words_) * 4);
  if (type == GemmType::I8) {
    scales_ = AlignedBytes(static_cast<std::size_t>(padded) * sizeof(float));
    sums_ = AlignedBytes(static_cast<std::size_t>(padded) * sizeof(std::int32_t));
  }
  // Panel p holds outputs [p * panel, ...); gated ones alternate between the halves.
  for (std::int64_t p = 0; p * panel < padded; ++p) {
    const std::int64_t first = gated ? (p / 2) * panel : p * panel;
    const std::int64_t count = std::min(panel, half - first);
    const float* rows = weight + (first + (gated && p % 2 == 1 ? half : 0)) * inputs;
    kernels().pack_panel(type, rows, count, inputs,
                         panels_.data() + static_cast<std::size_t>(p * panel * words_) * 4,
                         scales_.data<float>() + (type == GemmType::I8 ? p * panel : 0),
                         sums_.data<std::int32_t>() + (type == GemmType::I8 ? p * panel : 0));
  }
}

std::int64_t PackedWeights::padded_inputs() const {
  return words_ * per_word(type_);
}

}  // namespace dino::cpu
