#include "dino/cpu/gemm.h"

#include <algorithm>

#include "dino/base/rounding.h"

namespace dino::cpu {
namespace {

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

}  // namespace

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
