// The training step's element-wise hot loops on the CPU, without Torch: everything between the
// matrix products. One implementation (kernels_isa.cpp) is compiled per instruction set; kernels()
// picks the best one this machine runs. All matrices are row-major and dense; a call works on the
// rows it is given, so the caller splits rows over threads.
#pragma once
#include <cstdint>
#include <vector>

namespace dino::cpu {

/** bfloat16 as stored. */
using bf16 = std::uint16_t;

/** Element type of activations; statistics, residual stream and gradients of parameters are fp32.
 */
enum class Type { F32, BF16 };

/** x += row_scale * y (if y), then out = LayerNorm(x). D columns. */
struct LayerNormForward {
  std::int64_t dim = 0;
  const float* x_in = nullptr;  ///< [rows, D] residual stream
  float* x = nullptr;           ///< [rows, D] x_in + row_scale * y; may be x_in; unused without y
  const void* y = nullptr;      ///< [rows, D] of `type`, added first; null = nothing to add
  const float* row_scale = nullptr;  ///< [rows] factor of y (stochastic depth); null = 1
  const float* gamma = nullptr;      ///< [D]; null = only the addition, no norm
  const float* beta = nullptr;       ///< [D]
  float eps = 1e-6F;
  void* out = nullptr;    ///< [rows, D] of `type`
  float* mean = nullptr;  ///< [rows]; null = not wanted
  float* rstd = nullptr;  ///< [rows]
  Type type = Type::F32;
};

/** dx = dres + LayerNorm'(dy); also the sums over rows that gamma, beta and the preceding layer's
 * bias need. */
struct LayerNormBackward {
  std::int64_t dim = 0;
  const void* dy = nullptr;      ///< [rows, D] of `type`
  const float* x = nullptr;      ///< [rows, D] input of the norm
  const float* mean = nullptr;   ///< [rows]
  const float* rstd = nullptr;   ///< [rows]
  const float* gamma = nullptr;  ///< [D]
  float* dx = nullptr;     ///< [rows, D] in: gradient of the residual stream; out: plus the norm's
  void* scaled = nullptr;  ///< [rows, D] of `type`: row_scale * dx, what the preceding branch
                           ///< receives; null = not wanted
  const float* row_scale = nullptr;  ///< [rows]; null = 1
  float* dgamma = nullptr;           ///< [D] added to
  float* dbeta = nullptr;            ///< [D] added to
  float* dbias = nullptr;            ///< [D] added to: column sums of `scaled`; null = not wanted
  Type type = Type::F32;
};

/** AdamW (decoupled decay) of one parameter slice. */
struct AdamW {
  float* value = nullptr;
  const float* gradient = nullptr;
  float* first_moment = nullptr;
  float* second_moment = nullptr;
  float gradient_scale = 1;  ///< clipping factor
  float lr = 0, beta1 = 0.9F, beta2 = 0.999F, eps = 1e-8F, weight_decay = 0;
  float bias_correction1 = 1;  ///< 1 - beta1^t
  float bias_correction2 = 1;  ///< 1 - beta2^t
};

/** One student row of the DINO loss: cross-entropy with a sum of teacher distributions, and its
 * gradient. */
struct CrossEntropyRow {
  std::int64_t prototypes = 0;  ///< K
  void* logits = nullptr;       ///< [K] of `type`; replaced by the gradient
  const float* const* targets =
      nullptr;  ///< [target_count] rows of K teacher probabilities, each summing to 1
  int target_count = 0;
  float inverse_temperature = 10;
  float gradient_scale =
      1;  ///< gradient = scale * inverse_temperature * (count * softmax - sum of targets)
  Type type = Type::F32;
};

struct Attention;
struct AttentionBackward;
struct Gemm;
struct Quantize;
enum class GemmType;

struct Kernels {
  const char* name;  ///< of the instruction set
  void (*layer_norm_forward)(const LayerNormForward&, std::int64_t first_row,
                             std::int64_t last_row);
  void (*layer_norm_backward)(const LayerNormBackward&, std::int64_t first_row,
                              std::int64_t last_row);
  /** out = GELU(u), exact (erf) form. n elements. */
  void (*gelu_forward)(Type, const void* u, void* out, std::int64_t n);
  /** [rows, D]: u becomes GELU(u), g becomes g * GELU'(u); dbias [D] (if not null) gains the column
   * sums of the new g. */
  void (*gelu_backward)(Type, void* u, void* g, float* dbias, std::int64_t rows, std::int64_t dim);
  /** sums [D] += column sums of x [rows, D]. */
  void (*column_sums)(Type, const void* x, float* sums, std::int64_t rows, std::int64_t dim);
  /** out = scale * x, converted. n elements; `type` is out's. */
  void (*convert)(Type, const float* x, float scale, void* out, std::int64_t n);
  /** out = x + y. n elements; `type` is x's. */
  void (*add)(Type, const void* x, const float* y, float* out, std::int64_t n);
  /** sums += x. n elements. */
  void (*accumulate)(const float* x, float* sums, std::int64_t n);
  /** Image [C, H, W] -> rows of its patches in row-major order, each [C, patch, patch]; a remainder
   * of H and W is left out. */
  void (*patchify)(Type, const float* image, std::int64_t channels, std::int64_t height,
                   std::int64_t width, std::int64_t patch, void* out);
  /** Returns the cross-entropy summed over the targets. */
  double (*cross_entropy_row)(const CrossEntropyRow&);
  /** out [K] = softmax((logits - center) * inverse_temperature); returns its entropy in nats. */
  double (*softmax_row)(Type, const void* logits, const float* center, float inverse_temperature,
                        float* out, std::int64_t prototypes);
  void (*attention_forward)(const Attention&);
  void (*attention_backward)(const AttentionBackward&);
  double (*sum_of_squares)(const float* x, std::int64_t n);
  void (*adamw)(const AdamW&, std::int64_t n);
  /** Products of packed weights; see dino/cpu/gemm.h. */
  void (*gemm)(const Gemm&);
  void (*quantize_rows)(const Quantize&);
  /** Up to `panel` rows [count, inputs] of a weight into one panel; scales and sums [panel] for I8.
   */
  void (*pack_panel)(GemmType, const float* rows, std::int64_t count, std::int64_t inputs,
                     void* out, float* scales, std::int32_t* sums);
  std::int64_t panel;          ///< outputs per panel
  std::int64_t bf16_per_word;  ///< 2 where the processor multiplies pairs of bf16, else 1
  /** Rotary positions: turns `heads` vectors of head_dim, one after another at x, by the angles
   * whose cosines and sines [head_dim] are given (both halves alike). */
  void (*rotate)(Type, void* x, std::int64_t heads, std::int64_t head_dim, const float* cosines,
                 const float* sines);
  /** teacher = momentum * teacher + (1 - momentum) * student. */
  void (*ema)(float* teacher, const float* student, float momentum, std::int64_t n);
};

/** The fastest set this processor runs. Thread-safe. */
const Kernels& kernels();

/** Every set it runs, the fastest last. */
std::vector<const Kernels*> supported_kernels();

/** For tests of what is built on kernels(): it answers with another of supported_kernels() while
 * this lives. Not while anything computes; packed weights are good only under the set that packed
 * them. */
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
