// The kernels of kernels.h, compiled once per instruction set (cmake/cpu_kernels.cmake defines
// DINO_ISA). Plain loops over vec.h.
#include <cmath>

#include "dino/cpu/isa_kernels.h"
#include "dino/cpu/kernels.h"
#include "dino/cpu/words.h"

namespace dino::cpu::DINO_ISA {
namespace {

constexpr std::int64_t kChunk = 4096;  // elements summed in fp32 before the sum moves to fp64

// ---- LayerNorm ----

template <typename T>
void layer_norm_forward(const LayerNormForward& a, std::int64_t first, std::int64_t last) {
  const std::int64_t dim = a.dim;
  const float inverse = 1.0F / static_cast<float>(dim);
  for (std::int64_t r = first; r < last; ++r) {
    const float* in = a.x_in + r * dim;
    vf total = {};
    if (a.y != nullptr) {
      float* x = a.x + r * dim;
      const T* y = static_cast<const T*>(a.y) + r * dim;
      const float scale = a.row_scale != nullptr ? a.row_scale[r] : 1.0F;
      for_lanes(dim, [&](int, auto get, auto put) {
        const vf v = get(in) + scale * get(y);
        put(x, v);
        total += v;
      });
      in = x;
    } else {
      for_lanes(dim, [&](int, auto get, auto) { total += get(in); });
    }
    if (a.gamma == nullptr) continue;
    const float mean = sum(total) * inverse;
    vf squares = {};
    for_lanes(dim, [&](int, auto get, auto) {
      const vf d = get(in, mean) - mean;
      squares += d * d;
    });
    const float rstd = 1.0F / std::sqrt(sum(squares) * inverse + a.eps);
    T* out = static_cast<T*>(a.out) + r * dim;
    for_lanes(dim, [&](int, auto get, auto put) {
      put(out, (get(in) - mean) * rstd * get(a.gamma) + get(a.beta));
    });
    if (a.mean != nullptr) {
      a.mean[r] = mean;
      a.rstd[r] = rstd;
    }
  }
}

template <typename T>
void layer_norm_backward(const LayerNormBackward& a, std::int64_t first, std::int64_t last) {
  const std::int64_t dim = a.dim;
  const float inverse = 1.0F / static_cast<float>(dim);
  for (std::int64_t r = first; r < last; ++r) {
    const T* dy = static_cast<const T*>(a.dy) + r * dim;
    const float* x = a.x + r * dim;
    float* dx = a.dx + r * dim;
    const float mean = a.mean[r], rstd = a.rstd[r];
    vf sum_g = {}, sum_gx = {};
    for_lanes(dim, [&](int lanes, auto get, auto put) {
      const vf d = get(dy);
      const vf normed = keep_lanes((get(x) - mean) * rstd, lanes);
      put(a.dgamma, get(a.dgamma) + d * normed);
      put(a.dbeta, get(a.dbeta) + d);
      const vf g = d * get(a.gamma);
      sum_g += g;
      sum_gx += g * normed;
    });
    const float mean_g = sum(sum_g) * inverse, mean_gx = sum(sum_gx) * inverse;
    const float scale = a.row_scale != nullptr ? a.row_scale[r] : 1.0F;
    T* scaled = a.scaled != nullptr ? static_cast<T*>(a.scaled) + r * dim : nullptr;
    for_lanes(dim, [&](int, auto get, auto put) {
      const vf normed = (get(x) - mean) * rstd;
      const vf d = get(dx) + rstd * (get(dy) * get(a.gamma) - mean_g - normed * mean_gx);
      put(dx, d);
      if (scaled != nullptr) {
        put(scaled, scale * d);
        if (a.dbias != nullptr) put(a.dbias, get(a.dbias) + scale * d);
      }
    });
  }
}

// ---- GELU ----

template <typename T>
void gelu_forward(const T* u, T* out, std::int64_t n) {
  for_lanes(n, [&](int, auto get, auto put) {
    const vf x = get(u);
    put(out, x * normal_cdf(x).cdf);
  });
}

template <typename T>
void gelu_backward(T* u, T* g, float* dbias, std::int64_t rows, std::int64_t dim) {
  for (std::int64_t r = 0; r < rows; ++r, u += dim, g += dim) {
    for_lanes(dim, [&](int, auto get, auto put) {
      const vf x = get(u);
      const NormalCdf n = normal_cdf(x);
      const vf d = get(g) * (n.cdf + x * n.gauss * 0.3989422804014327F);
      put(u, x * n.cdf);
      put(g, d);
      if (dbias != nullptr) put(dbias, get(dbias) + d);
    });
  }
}

// ---- sums and conversions ----

template <typename T>
void column_sums(const T* x, float* sums, std::int64_t rows, std::int64_t dim) {
  for (std::int64_t r = 0; r < rows; ++r, x += dim) {
    for_lanes(dim, [&](int, auto get, auto put) { put(sums, get(sums) + get(x)); });
  }
}

template <typename T>
void convert(const float* x, float scale, T* out, std::int64_t n) {
  for_lanes(n, [&](int, auto get, auto put) { put(out, scale * get(x)); });
}

template <typename T>
void add(const T* x, const float* y, float* out, std::int64_t n) {
  for_lanes(n, [&](int, auto get, auto put) { put(out, get(x) + get(y)); });
}

void accumulate(const float* x, float* sums, std::int64_t n) {
  for_lanes(n, [&](int, auto get, auto put) { put(sums, get(sums) + get(x)); });
}

template <typename T>
void patchify(const float* image, std::int64_t channels, std::int64_t height, std::int64_t width,
              std::int64_t patch, T* out) {
  for (std::int64_t y = 0; y + patch <= height; y += patch) {
    for (std::int64_t x = 0; x + patch <= width; x += patch) {
      for (std::int64_t c = 0; c < channels; ++c) {
        for (std::int64_t r = 0; r < patch; ++r, out += patch) {
          convert(image + (c * height + y + r) * width + x, 1.0F, out, patch);
        }
      }
    }
  }
}

double sum_of_squares(const float* x, std::int64_t n) {
  double total = 0;
  for (std::int64_t c = 0; c < n; c += kChunk) {
    vf squares = {};
    for_lanes(n - c < kChunk ? n - c : kChunk, [&](int, auto get, auto) {
      const vf v = get(x + c);
      squares += v * v;
    });
    total += static_cast<double>(sum(squares));
  }
  return total;
}

// ---- softmax and cross-entropy ----

// With p = softmax(z), z = logits / tau: sum_t CE(t, p) = count * logsumexp(z) - <sum of targets,
// z>.
template <typename T>
double cross_entropy_row(const CrossEntropyRow& a) {
  T* logits = static_cast<T*>(a.logits);
  const std::int64_t n = a.prototypes;
  const auto target_sum = [&](auto get, std::int64_t offset) {
    vf target = get(a.targets[0] + offset);
    for (int t = 1; t < a.target_count; ++t) target += get(a.targets[t] + offset);
    return target;
  };
  vf tops = broadcast(-INFINITY);
  for_lanes(n, [&](int, auto get, auto) { tops = max(get(logits, -INFINITY), tops); });
  const float top = max(tops) * a.inverse_temperature;
  double normalizer = 0, dot = 0;
  for (std::int64_t c = 0; c < n; c += kChunk) {
    vf exps = {}, dots = {};
    for_lanes(n - c < kChunk ? n - c : kChunk, [&](int lanes, auto get, auto) {
      const vf z = get(logits + c) * a.inverse_temperature - top;
      dots += target_sum(get, c) * z;
      exps += keep_lanes(exp(z), lanes);
    });
    normalizer += static_cast<double>(sum(exps));
    dot += static_cast<double>(sum(dots));
  }
  const float scale = a.gradient_scale * a.inverse_temperature;
  const float share = static_cast<float>(a.target_count / normalizer);
  for_lanes(n, [&](int, auto get, auto put) {
    const vf e = exp(get(logits) * a.inverse_temperature - top);
    put(logits, scale * (share * e - target_sum(get, 0)));
  });
  return static_cast<double>(a.target_count) * std::log(normalizer) - dot;
}

template <typename T>
double softmax_row(const T* logits, const float* center, float inverse_temperature, float* out,
                   std::int64_t n) {
  vf tops = broadcast(-INFINITY);
  for_lanes(n, [&](int, auto get, auto put) {
    const vf z = (get(logits, -INFINITY) - get(center)) * inverse_temperature;
    put(out, z);
    tops = max(z, tops);
  });
  const float top = max(tops);
  double normalizer = 0, weighted = 0;  // sum of e^(z-top) and of (z-top) e^(z-top)
  for (std::int64_t c = 0; c < n; c += kChunk) {
    vf exps = {}, products = {};
    for_lanes(n - c < kChunk ? n - c : kChunk, [&](int lanes, auto get, auto put) {
      const vf z = get(out + c) - top;
      const vf e = keep_lanes(exp(z), lanes);
      exps += e;
      products += e * z;
      put(out + c, e);
    });
    normalizer += static_cast<double>(sum(exps));
    weighted += static_cast<double>(sum(products));
  }
  const float inverse = static_cast<float>(1.0 / normalizer);
  for_lanes(n, [&](int, auto get, auto put) { put(out, get(out) * inverse); });
  return std::log(normalizer) - weighted / normalizer;
}

// ---- optimizer ----

void adamw(const AdamW& a, std::int64_t n) {
  const float step = a.lr / a.bias_correction1;
  const float inverse_root = 1.0F / std::sqrt(a.bias_correction2);
  const float keep = 1.0F - a.lr * a.weight_decay;
  for_lanes(n, [&](int, auto get, auto put) {
    const vf g = get(a.gradient) * a.gradient_scale;
    const vf m = a.beta1 * get(a.first_moment) + (1.0F - a.beta1) * g;
    const vf v = a.beta2 * get(a.second_moment) + (1.0F - a.beta2) * g * g;
    put(a.first_moment, m);
    put(a.second_moment, v);
    put(a.value, get(a.value) * keep - step * m / (sqrt(v) * inverse_root + a.eps));
  });
}

void ema(float* teacher, const float* student, float momentum, std::int64_t n) {
  for_lanes(n, [&](int, auto get, auto put) {
    put(teacher, momentum * get(teacher) + (1.0F - momentum) * get(student));
  });
}

template <typename T>
void rotate(T* x, std::int64_t heads, std::int64_t head_dim, const float* cosines,
            const float* sines) {
  const std::int64_t half = head_dim / 2;
  for (std::int64_t h = 0; h < heads; ++h, x += head_dim) {
    T* second = x + half;
    for_lanes(half, [&](int, auto get, auto put) {
      const vf u = get(x), v = get(second), c = get(cosines), s = get(sines);
      put(x, u * c - v * s);
      put(second, v * c + u * s);
    });
  }
}

// ---- the table: one entry per kernel, dispatching on the element type ----

template <typename F>
auto with_type(Type type, F&& f) {
  return type == Type::BF16 ? f(bf16{}) : f(float{});
}

}  // namespace

extern const Kernels kKernels;
#define DINO_STRING(x) #x
#define DINO_NAME(x) DINO_STRING(x)
const Kernels kKernels = {
    .name = DINO_NAME(DINO_ISA),
    .layer_norm_forward =
        [](const LayerNormForward& a, std::int64_t first, std::int64_t last) {
          with_type(a.type, [&](auto t) { layer_norm_forward<decltype(t)>(a, first, last); });
        },
    .layer_norm_backward =
        [](const LayerNormBackward& a, std::int64_t first, std::int64_t last) {
          with_type(a.type, [&](auto t) { layer_norm_backward<decltype(t)>(a, first, last); });
        },
    .gelu_forward =
        [](Type type, const void* u, void* out, std::int64_t n) {
          with_type(type, [&](auto t) {
            gelu_forward(static_cast<const decltype(t)*>(u), static_cast<decltype(t)*>(out), n);
          });
        },
    .gelu_backward =
        [](Type type, void* u, void* g, float* dbias, std::int64_t rows, std::int64_t dim) {
          with_type(type, [&](auto t) {
            gelu_backward(static_cast<decltype(t)*>(u), static_cast<decltype(t)*>(g), dbias, rows,
                          dim);
          });
        },
    .swiglu_forward = swiglu_forward,
    .swiglu_backward = swiglu_backward,
    .column_sums =
        [](Type type, const void* x, float* sums, std::int64_t rows, std::int64_t dim) {
          with_type(type, [&](auto t) {
            column_sums(static_cast<const decltype(t)*>(x), sums, rows, dim);
          });
        },
    .convert =
        [](Type type, const float* x, float scale, void* out, std::int64_t n) {
          with_type(type, [&](auto t) { convert(x, scale, static_cast<decltype(t)*>(out), n); });
        },
    .add =
        [](Type type, const void* x, const float* y, float* out, std::int64_t n) {
          with_type(type, [&](auto t) { add(static_cast<const decltype(t)*>(x), y, out, n); });
        },
    .accumulate = accumulate,
    .patchify =
        [](Type type, const float* image, std::int64_t channels, std::int64_t height,
           std::int64_t width, std::int64_t patch, void* out) {
          with_type(type, [&](auto t) {
            patchify(image, channels, height, width, patch, static_cast<decltype(t)*>(out));
          });
        },
    .cross_entropy_row =
        [](const CrossEntropyRow& a) {
          return with_type(a.type, [&](auto t) { return cross_entropy_row<decltype(t)>(a); });
        },
    .softmax_row =
        [](Type type, const void* logits, const float* center, float inverse_temperature,
           float* out, std::int64_t n) {
          return with_type(type, [&](auto t) {
            return softmax_row(static_cast<const decltype(t)*>(logits), center, inverse_temperature,
                               out, n);
          });
        },
    .attention_forward = attention_forward,
    .attention_backward = attention_backward,
    .sum_of_squares = sum_of_squares,
    .adamw = adamw,
    .gemm = gemm,
    .quantize_rows = quantize_rows,
    .pack_panel = pack_panel,
    .panel = kPanel,
    .bf16_per_word = Bf16Word::kPerWord,
    .rotate =
        [](Type type, void* x, std::int64_t heads, std::int64_t head_dim, const float* cosines,
           const float* sines) {
          with_type(type, [&](auto t) {
            rotate(static_cast<decltype(t)*>(x), heads, head_dim, cosines, sines);
          });
        },
    .ema = ema,
};

}  // namespace dino::cpu::DINO_ISA
