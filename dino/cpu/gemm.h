// Matrix products with weights that stay: packed once into the order the register tiles read them,
// then multiplied with whatever follows a linear layer in a block done while the sums are at hand.
#pragma once
#include <cstddef>
#include <cstdint>

#include "dino/base/aligned_bytes.h"
#include "dino/cpu/kernels.h"

namespace dino::cpu {

/** What is multiplied. Sums are fp32 (int32 for I8). */
enum class GemmType {
  F32,
  BF16,  ///< rounded to bf16; multiplied in pairs where the processor has that, else as floats
  I8,    ///< weights in 8 bits with a scale per output, inputs in 8 bits with a scale per row
};

/** A weight [outputs, inputs] in panels of kernels().panel outputs, padded with zeros. Immutable,
 * so thread-safe; good only on this machine. */
class PackedWeights {
 public:
  PackedWeights() = default;
  /** `weight` row-major fp32. `gated`: the first half of the outputs are gates of the second
   * (Epilogue::SwiGlu); their panels alternate. */
  PackedWeights(GemmType type, const float* weight, std::int64_t outputs, std::int64_t inputs,
                bool gated = false);

  GemmType type() const { return type_; }
  std::int64_t outputs() const { return outputs_; }
  std::int64_t inputs() const { return inputs_; }
  bool gated() const { return gated_; }
  /** 32-bit words of an input row, and the elements such a row needs in memory (the padding zero).
   */
  std::int64_t words() const { return words_; }
  std::int64_t padded_inputs() const;
  const void* panels() const { return panels_.data(); }
  const float* scales() const { return scales_.data<float>(); }            ///< I8: [padded outputs]
  const std::int32_t* sums() const { return sums_.data<std::int32_t>(); }  ///< I8: of each output
  std::size_t bytes() const { return panels_.size() + scales_.size() + sums_.size(); }

 private:
  GemmType type_ = GemmType::F32;
  std::int64_t outputs_ = 0, inputs_ = 0, words_ = 0;
  bool gated_ = false;
  AlignedBytes panels_, scales_, sums_;
};

/** What becomes of y = x W^T + bias. */
enum class Epilogue {
  Store,      ///< out = y
  Gelu,       ///< out = GELU(y), exact form
  AddScaled,  ///< out += gain * y, fp32
  SwiGlu,     ///< out = silu(y_a) * y_b, y = [y_a | y_b]; half as many columns
};

/** One product of some rows. */
struct Gemm {
  const PackedWeights* weights = nullptr;
  std::int64_t rows = 0;
  const void* x = nullptr;          ///< [rows, padded_inputs()]: float, bf16, or I8's bytes + 128
  std::int64_t x_stride = 0;        ///< elements
  const float* x_scales = nullptr;  ///< I8: [rows]
  const float* bias = nullptr;      ///< [outputs] or null
  Epilogue epilogue = Epilogue::Store;
  const float* gain = nullptr;  ///< AddScaled: [outputs] or null for 1
  void* out = nullptr;
  std::int64_t out_stride = 0;  ///< elements
  Type out_type = Type::F32;
  const PackedWeights* next = nullptr;  ///< what will be multiplied next: fetched meanwhile
};

/** Rows of x [rows, dim], `stride` elements apart, as bytes around 128 with one scale a row. */
struct Quantize {
  Type type = Type::F32;
  const void* x = nullptr;
  std::int64_t rows = 0, dim = 0, stride = 0;
  std::uint8_t* out = nullptr;
  std::int64_t out_stride = 0;
  float* scales = nullptr;  ///< [rows]
};

}  // namespace dino::cpu
