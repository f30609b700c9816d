// Matrix products with constant weights for inference. Weights are packed once into the order in
// which the kernel reads them; the operation that follows a linear layer is applied while the sums
// are in registers.
#pragma once
#include <cstddef>
#include <cstdint>

#include "dino/base/aligned_bytes.h"
#include "dino/cpu/kernels.h"

namespace dino::cpu {

/** The element type of the operands. Sums are fp32 (int32 for I8). */
enum class GemmType {
  F32,
  BF16,  ///< operands rounded to bf16; multiplied as floats without AVX512-BF16
  I8,    ///< 8-bit weights with a scale per output, 8-bit inputs with a scale per row
};

/** A weight [outputs, inputs] packed into panels of kernels().panel outputs, padded with zeros.
 * Immutable, so thread-safe. The layout depends on the instruction set: do not store it. */
class PackedWeights {
 public:
  PackedWeights() = default;
  /** `weight` is row-major fp32 and is copied. `gated`: for Epilogue::SwiGlu, the first half of the
   * outputs gates the second; panels of the two halves alternate. */
  PackedWeights(GemmType type, const float* weight, std::int64_t outputs, std::int64_t inputs,
                bool gated = false);

  GemmType type() const { return type_; }
  std::int64_t outputs() const { return outputs_; }
  std::int64_t inputs() const { return inputs_; }
  bool gated() const { return gated_; }
  /** 32-bit words of an input row (see words.h), and the elements that a row of x must have in
   * memory; those past inputs() must be zero (128 for I8). */
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

/** The operation applied to y = x W^T + bias. */
enum class Epilogue {
  Store,      ///< out = y
  Gelu,       ///< out = GELU(y), exact form
  AddScaled,  ///< out += gain * y
  SwiGlu,     ///< out = silu(y_a) * y_b where y = [y_a | y_b]; out has outputs / 2 columns
};

/** The arguments of one product. `out` must not overlap the inputs. Calls on disjoint rows may run
 * in parallel. */
struct Gemm {
  const PackedWeights* weights = nullptr;
  std::int64_t rows = 0;
  const void* x = nullptr;  ///< [rows, padded_inputs()] float, bf16, or bytes by quantize_rows (I8)
  std::int64_t x_stride = 0;        ///< elements
  const float* x_scales = nullptr;  ///< I8: [rows]
  const float* bias = nullptr;      ///< [outputs] or null
  Epilogue epilogue = Epilogue::Store;
  const float* gain = nullptr;  ///< AddScaled: [outputs] or null for 1
  void* out = nullptr;
  std::int64_t out_stride = 0;  ///< elements
  Type out_type = Type::F32;
  const PackedWeights* next = nullptr;  ///< weights of the next product, to prefetch; or null
};

/** Quantizes each row of x [rows, dim] to bytes: x is about scale * (byte - 128). Bytes of `out`
 * from dim to out_stride are set to 128. */
struct Quantize {
  Type type = Type::F32;
  const void* x = nullptr;
  std::int64_t rows = 0, dim = 0, stride = 0;
  std::uint8_t* out = nullptr;
  std::int64_t out_stride = 0;
  float* scales = nullptr;  ///< [rows]
};

}  // namespace dino::cpu
