// CPU kernels without Torch: what a network computes between its matrix products, and products with
// packed weights. The sources *_isa.cpp are compiled once per instruction set; kernels() returns
// the fastest set. Kernels are single-threaded; callers split rows over threads.
//
// Matrices are row-major and dense. Pointers need only the alignment of their element type. Arrays
// must not overlap, except where "in place" or "may equal" says so.
#pragma once
#include <cstdint>
#include <vector>

namespace dino::cpu {

/** The bits of a bfloat16. */
using bf16 = std::uint16_t;

/** Element type of activations. Statistics, the residual stream and gradients of parameters are
 * always fp32. */
enum class Type { F32, BF16 };

/** x += row_scale * y (if y), then out = LayerNorm(x). Rows have D = `dim` columns. */
struct LayerNormForward {
  std::int64_t dim = 0;
  const float* x_in = nullptr;  ///< [rows, D] residual stream
  float* x = nullptr;           ///< [rows, D] receives the sum; may equal x_in; unused without y
  const void* y = nullptr;      ///< [rows, D] of `type`; null = no addition
  const float* row_scale = nullptr;  ///< [rows] factor of y (stochastic depth); null = 1
  const float* gamma = nullptr;      ///< [D]; null = only the addition, no norm
  const float* beta = nullptr;       ///< [D]
  float eps = 1e-6F;
  void* out = nullptr;    ///< [rows, D] of `type`
  float* mean = nullptr;  ///< [rows]; null = not computed
  float* rstd = nullptr;  ///< [rows]
  Type type = Type::F32;
};

/** dx = dres + LayerNorm'(dy); also the sums over rows that are the gradients of gamma, beta and
 * the preceding layer's bias. Threads that share rows of one call need dgamma, dbeta and dbias of
 * their own. */
struct LayerNormBackward {
  std::int64_t dim = 0;
  const void* dy = nullptr;      ///< [rows, D] of `type`
  const float* x = nullptr;      ///< [rows, D] input of the norm
  const float* mean = nullptr;   ///< [rows]
  const float* rstd = nullptr;   ///< [rows]
  const float* gamma = nullptr;  ///< [D]
  float* dx = nullptr;     ///< [rows, D] in: gradient of the residual stream; out: plus the norm's
  void* scaled = nullptr;  ///< [rows, D] of `type`: row_scale * dx, what the preceding branch
                           ///< receives; null = not computed
  const float* row_scale = nullptr;  ///< [rows]; null = 1
  float* dgamma = nullptr;           ///< [D] added to
  float* dbeta = nullptr;            ///< [D] added to
  float* dbias = nullptr;            ///< [D] added to: column sums of `scaled`; null = not computed
  Type type = Type::F32;
};

/** One AdamW step (decoupled weight decay) on n parameters; value and moments are updated in place.
 */
struct AdamW {
  float* value = nullptr;
  const float* gradient = nullptr;
  float* first_moment = nullptr;
  float* second_moment = nullptr;
  float gradient_scale = 1;  ///< multiplies the gradient first, as for clipping
  float lr = 0, beta1 = 0.9F, beta2 = 0.999F, eps = 1e-8F, weight_decay = 0;
  float bias_correction1 = 1;  ///< 1 - beta1^t
  float bias_correction2 = 1;  ///< 1 - beta2^t
};

/** Cross-entropy of one student row of the DINO loss with a sum of teacher distributions, and its
 * gradient. */
struct CrossEntropyRow {
  std::int64_t prototypes = 0;  ///< K
  void* logits = nullptr;       ///< [K] of `type`; replaced by the gradient
  /// [target_count] rows of K teacher probabilities, each summing to 1
  const float* const* targets = nullptr;
  int target_count = 0;
  float inverse_temperature = 10;
  /// Gradient = scale * inverse_temperature * (count * softmax - sum of targets)
  float gradient_scale = 1;
  Type type = Type::F32;
};

struct Attention;
struct AttentionBackward;
struct Gemm;
struct Quantize;
enum class GemmType;

/** The kernels of one instruction set. All are reentrant, so threads may work on disjoint rows at
 * once. */
struct Kernels {
  const char* name;  ///< name of the instruction set: "avx512"
  void (*layer_norm_forward)(const LayerNormForward&, std::int64_t first_row,
                             std::int64_t last_row);
  void (*layer_norm_backward)(const LayerNormBackward&, std::int64_t first_row,
                              std::int64_t last_row);
  /** out = GELU(u), exact (erf) form, for n elements. */
  void (*gelu_forward)(Type, const void* u, void* out, std::int64_t n);
  /** [rows, D]: u becomes GELU(u), g becomes g * GELU'(u); dbias [D] (if not null) gains the column
   * sums of the new g. */
  void (*gelu_backward)(Type, void* u, void* g, float* dbias, std::int64_t rows, std::int64_t dim);
  /** u [rows, 2 hidden] = [gate | value]: out [rows, hidden] = silu(gate) * value. */
  void (*swiglu_forward)(Type, const void* u, void* out, std::int64_t rows, std::int64_t hidden);
  /** u as above becomes the gradient of itself, g [rows, hidden], the gradient of the output,
   * becomes the output; dbias [2 hidden] gains the column sums of the new u. */
  void (*swiglu_backward)(Type, void* u, void* g, float* dbias, std::int64_t rows,
                          std::int64_t hidden);
  /** sums [D] += column sums of x [rows, D]. */
  void (*column_sums)(Type, const void* x, float* sums, std::int64_t rows, std::int64_t dim);
  /** out = scale * x for n elements, converted to `type`. */
  void (*convert)(Type, const float* x, float scale, void* out, std::int64_t n);
  /** out = x + y for n elements; x is of `type`. out may equal y, or x if that is fp32. */
  void (*add)(Type, const void* x, const float* y, float* out, std::int64_t n);
  /** sums += x for n elements. */
  void (*accumulate)(const float* x, float* sums, std::int64_t n);
  /** Image [C, H, W] -> patches [P, C * patch * patch] of `type` in row-major order, each [C,
   * patch, patch]. Incomplete patches at the right and lower border are left out. */
  void (*patchify)(Type, const float* image, std::int64_t channels, std::int64_t height,
                   std::int64_t width, std::int64_t patch, void* out);
  /** Returns the cross-entropy in nats, summed over the targets. */
  double (*cross_entropy_row)(const CrossEntropyRow&);
  /** out [K] = softmax((logits - center) * inverse_temperature); returns its entropy in nats. */
  double (*softmax_row)(Type, const void* logits, const float* center, float inverse_temperature,
                        float* out, std::int64_t prototypes);
  void (*attention_forward)(const Attention&);
  void (*attention_backward)(const AttentionBackward&);
  /** Sum of x^2 over n elements: fp32 partial sums, added in fp64. */
  double (*sum_of_squares)(const float* x, std::int64_t n);
  void (*adamw)(const AdamW&, std::int64_t n);
  /** Products with packed weights and quantization of their inputs; see gemm.h. */
  void (*gemm)(const Gemm&);
  void (*quantize_rows)(const Quantize&);
  /** Packs up to `panel` rows [count, inputs] of a weight into one panel; scales and sums are
   * [panel], for I8 only. */
  void (*pack_panel)(GemmType, const float* rows, std::int64_t count, std::int64_t inputs,
                     void* out, float* scales, std::int32_t* sums);
  std::int64_t panel;          ///< outputs per panel of packed weights
  std::int64_t bf16_per_word;  ///< bf16 elements per 32-bit word: 2 with AVX512-BF16, else 1
  /** Rotary positions, in place: rotates `heads` vectors of head_dim elements, contiguous at x, by
   * the angles whose cosines and sines [head_dim] are given (the two halves are equal). */
  void (*rotate)(Type, void* x, std::int64_t heads, std::int64_t head_dim, const float* cosines,
                 const float* sines);
  /** teacher = momentum * teacher + (1 - momentum) * student. */
  void (*ema)(float* teacher, const float* student, float momentum, std::int64_t n);
};

/** The fastest set that this processor supports. Thread-safe. */
const Kernels& kernels();

/** Every set that this processor supports, the fastest last. */
std::vector<const Kernels*> supported_kernels();

/** Makes kernels() return another of supported_kernels() during this object's lifetime, for tests.
 * Create and destroy it only while no kernel runs. Packed weights are valid only under the set
 * that packed them. */
class KernelsForTesting {
 public:
  explicit KernelsForTesting(const Kernels& set);
  ~KernelsForTesting();
  KernelsForTesting(const KernelsForTesting&) = delete;
  KernelsForTesting& operator=(const KernelsForTesting&) = delete;

 private:
  const Kernels& before_;
};

}  // namespace dino::cpu
