// Attention of frozen networks in integers. Q K^T in bytes, one scale per query and per key;
// softmax weights in 14 bits times values in 11 (one scale per dimension), twice as fast as floats
// and finer than bytes, which would lose the many small weights beside a large one.
#include <algorithm>
#include <cmath>

#include "dino/cpu/attention.h"
#include "dino/cpu/attention_tiles.h"
#include "dino/cpu/isa_kernels.h"
#include "dino/cpu/quantize.h"

namespace dino::cpu::DINO_ISA {
namespace {

// The sum of kValueWords * 2 products stays below 2^31.
constexpr std::int64_t kValueWords = 64;
constexpr float kWeightTop = 16383.0F, kValueTop = 1023.0F;
static_assert(2.0 * kValueWords * double{kWeightTop} * double{kValueTop} < 2147483648.0);

/** Keys as panels of kPanel, each [dim words][keys of the panel], signed. Key j's dot product with
 * a query's bytes + 128 is too large by offsets[j]. */
template <typename T>
void pack_keys(const Attention& a, std::int64_t keys, std::int64_t words, std::uint8_t* rows,
               ByteWord* out, float* scales, std::int32_t* offsets) {
  const ByteWord ones{PackedWord::of(0x01010101U)};
  for (std::int64_t first = 0; first < keys; first += kPanel) {
    const std::int64_t width = std::min<std::int64_t>(kPanel, keys - first);
    const std::int64_t count = std::min(width, a.keys - first);
    for (std::int64_t t = 0; t < count; ++t)
      scales[first + t] = quantize_row(static_cast<const T*>(a.k) + (first + t) * a.kv_stride,
                                       a.head_dim, rows + t * words * 4, words * 4);
    pack_transposed(rows, count, words * 4, words * 4, width, static_cast<ByteWord*>(nullptr), out);
    for (std::int64_t key = 0; key < width; key += kLanes) {
      vi sums = {};
      for (std::int64_t w = 0; w < words; ++w) {
        ByteWord* panel = out + w * width + key;
        vu x;
        std::memcpy(&x, panel, sizeof(x));
        x ^= 0x80808080U;  // from around 128 to around 0
        std::memcpy(panel, &x, sizeof(x));
        sums = ByteWord::multiply_add(sums, &ones, panel);
      }
      sums *= 128;
      std::memcpy(offsets + first + key, &sums, sizeof(sums));
    }
    std::fill(scales + first + count, scales + first + width, 0.0F);
    out += words * width;
  }
}

/** Values as words along tokens, [token word][dim]; scales [dim]. */
template <typename T>
void pack_values(const Attention& a, std::int64_t dim, float* scales, ShortWord* out) {
  const T* x = static_cast<const T*>(a.v);
  const vf magic = broadcast(kRounding);
  for (std::int64_t d = 0; d < dim; d += kLanes) {
    const std::int64_t lanes = std::min<std::int64_t>(kLanes, a.head_dim - d);
    const auto get = [&](std::int64_t t) {
      const T* row = x + t * a.kv_stride + d;
      return lanes == kLanes ? load(row) : load_some(row, lanes);
    };
    vf tops = {};
    for (std::int64_t t = 0; t < a.keys; ++t) tops = max_magnitude(tops, get(t));
    const vf scale = step_of(tops, kValueTop), inverse = 1.0F / scale;
    store(scales + d, scale);
    const auto rounded = [&](std::int64_t t) {
      return bits<vu>(get(t) * inverse + magic) - bits<vu>(magic);
    };
    for (std::int64_t t = 0; t < a.keys; t += 2) {
      const vu second = t + 1 < a.keys ? rounded(t + 1) : vu{};
      const vu words = (rounded(t) & 0xffff) | (second << 16);
      std::memcpy(out + t / 2 * dim + d, &words, sizeof(words));
    }
  }
}

/** Softmax weights of one row of scores, the largest kWeightTop, as 16-bit integers; zeros from
 * `keys` to `padded`. Returns their sum. `top`: the largest score. */
std::int32_t weigh(const float* scores, float top, float scale, std::int64_t keys,
                   std::int64_t padded, std::int16_t* out) {
  // 2^t = kWeightTop e^((score - top) scale)
  const float log2_scale = scale * 1.44269504088896341F;
  const vf start = broadcast(13.9999119F - top * log2_scale), low = broadcast(-20.0F);
  const vf magic = broadcast(kRounding);
  vu total = {};  // without sign, as the bits below: of NaN they may be anything
  const auto weight = [&](vf score) {
    const vf t = max(score * log2_scale + start, low);
    const vf shifted = t + magic;
    const vf r = t - (shifted - magic);
    // 2^r on [-1/2, 1/2] within 3e-6, a hundredth of the last bit of 14
    vf p = broadcast(9.5828500e-3F);
    p = p * r + 5.5906420e-2F;
    p = p * r + 2.4024099e-1F;
    p = p * r + 6.9312419e-1F;
    p = p * r + 1.0F;
    const vf y = bits<vf>(bits<vu>(p) + (bits<vu>(shifted) << 23));
    const vu q = bits<vu>(y + magic) - bits<vu>(magic);
    total += q;
    return __builtin_convertvector(q, vs);
  };
  std::int64_t k = 0;
  for (; k + kLanes <= keys; k += kLanes) {
    const vs q = weight(load(scores + k));
    std::memcpy(out + k, &q, sizeof(q));
  }
  if (k < keys) {
    const vs q = weight(load_some(scores + k, keys - k, -INFINITY));
    std::memcpy(out + k, &q, sizeof(q));
    k += kLanes;
  }
  std::fill(out + k, out + padded, std::int16_t{0});
  std::uint32_t sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += total[i];
  return static_cast<std::int32_t>(sum);
}

/** 0, or NaN if one of the scales is not finite: what softmax would make of such a key, and the
 * integers cannot say. */
float poison_of(const float* scales, std::int64_t count) {
  float poison = 0;
  for (std::int64_t i = 0; i < count; ++i) poison += scales[i] * 0.0F;
  return poison;
}

/** x with all lanes but the first `count` at minus infinity. */
vf first_lanes(vf x, std::int64_t count) {
  for (int i = static_cast<int>(std::max<std::int64_t>(count, 0)); i < kLanes; ++i)
    x[i] = -INFINITY;
  return x;
}

template <typename T>
void forward(const Attention& a) {
  const std::int64_t keys = round_up(a.keys, kLanes), dim = round_up(a.head_dim, kLanes);
  const std::int64_t words = round_up(a.head_dim, 4) / 4, key_words = round_up(a.keys, 2) / 2;
  Arena arena(a.scratch);
  auto* rows = arena.take<std::uint8_t>(std::max<std::int64_t>(kPanel, kQueryBlock) * words * 4);
  auto* k_panels = arena.take<ByteWord>(words * keys);
  float* k_scales = arena.take<float>(keys);
  auto* k_offsets = arena.take<std::int32_t>(keys);
  auto* v = arena.take<ShortWord>(key_words * dim);
  float* v_scales = arena.take<float>(dim);
  float* scores = arena.take<float>(kQueryBlock * keys);
  auto* weights = arena.take<std::int16_t>(kQueryBlock * keys);
  float* out = arena.take<float>(kQueryBlock * dim);
  float q_scales[kQueryBlock], sums[kQueryBlock];
  vf tops[kQueryBlock];

  pack_keys<T>(a, keys, words, rows, k_panels, k_scales, k_offsets);
  const float poison = poison_of(k_scales, a.keys);
  pack_values<T>(a, dim, v_scales, v);
  for (std::int64_t first = 0; first < a.queries; first += kQueryBlock) {
    const std::int64_t count = std::min(kQueryBlock, a.queries - first);
    for (std::int64_t r = 0; r < count; ++r) {
      q_scales[r] = a.scale * quantize_row(static_cast<const T*>(a.q) + (first + r) * a.q_stride,
                                           a.head_dim, rows + r * words * 4, words * 4);
      tops[r] = broadcast(-INFINITY);
    }
    for (std::int64_t key = 0; key < keys; key += kPanel) {
      const std::int64_t width = std::min<std::int64_t>(kPanel, keys - key);
      product(count, width, words, reinterpret_cast<const ByteWord*>(rows), words, 1,
              k_panels + key * words, width, [&](std::int64_t r, std::int64_t column, vi dots) {
                vi offset;
                std::memcpy(&offset, k_offsets + key + column, sizeof(offset));
                const vf score =
                    __builtin_convertvector(dots - offset, vf) * load(k_scales + key + column);
                store(scores + r * keys + key + column, score);
                // Keys that only fill the last vector score 0, which may lie above all others.
                const std::int64_t real = a.keys - key - column;
                tops[r] = max(real >= kLanes ? score : first_lanes(score, real), tops[r]);
              });
    }
    for (std::int64_t r = 0; r < count; ++r)
      sums[r] = static_cast<float>(
          weigh(scores + r * keys, max(tops[r]), q_scales[r], a.keys, keys, weights + r * keys));
    for (std::int64_t k = 0; k < key_words; k += kValueWords)
      product(count, dim, std::min(kValueWords, key_words - k),
              reinterpret_cast<const ShortWord*>(weights) + k, keys / 2, 1, v + k * dim, dim,
              [&](std::int64_t r, std::int64_t column, vi dots) {
                float* to = out + r * dim + column;
                const vf part = __builtin_convertvector(dots, vf);
                store(to, k > 0 ? load(to) + part : part);
              });
    for (std::int64_t r = 0; r < count; ++r) {
      const float* row = out + r * dim;
      T* to = static_cast<T*>(a.out) + (first + r) * a.out_stride;
      const float inverse = 1.0F / sums[r] + q_scales[r] * 0.0F + poison;
      for_lanes(a.head_dim, [&](int, auto get, auto put) {
        put(to, get(row) * get(static_cast<const float*>(v_scales)) * inverse);
      });
    }
  }
}

}  // namespace

void attention_forward_int8(const Attention& a) {
  a.type == Type::BF16 ? forward<bf16>(a) : forward<float>(a);
}

}  // namespace dino::cpu::DINO_ISA
