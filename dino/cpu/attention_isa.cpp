// Attention on register tiles of words (dino/cpu/words.h). Compiled once per instruction set like
// kernels_isa.cpp.
#include "dino/cpu/attention.h"

#include <algorithm>
#include <cmath>

#include "dino/cpu/attention_tiles.h"
#include "dino/cpu/isa_kernels.h"

namespace dino::cpu::DINO_ISA {
namespace {

// ---- packing: x is [tokens, dim], `stride` elements between rows ----

/** Words along tokens, as the second factor: out[token word][dim], dim padded with zeros to
 * `padded`. */
template <typename T, typename Word>
void pack_tokens(const T* x, std::int64_t tokens, std::int64_t dim, std::int64_t stride,
                 std::int64_t padded, Word* out) {
  for (std::int64_t t = 0; t < tokens;
       t += Word::kPerWord, x += Word::kPerWord * stride, out += padded) {
    if constexpr (Word::kPerWord == 1) {
      for (std::int64_t i = 0; i < dim; ++i) out[i].value = to_float(x[i]);
    }
#if defined(__AVX512BF16__)
    if constexpr (Word::kPerWord == 2) {
      const T* second = x + stride;
      if (t + 1 < tokens) {
        for (std::int64_t i = 0; i < dim; ++i) out[i] = make_pair(x[i], second[i]);
      } else {
        for (std::int64_t i = 0; i < dim; ++i) out[i] = make_pair(x[i], 0);
      }
    }
#endif
    std::fill(out + dim, out + padded, Word{});
  }
}

/** Scores (fp32 rows) as the first factor, words along keys. */
inline void pack_score_row(const float* row, std::int64_t padded, FloatWord* out) {
  std::memcpy(out, row, static_cast<std::size_t>(padded) * sizeof(float));
}
#if defined(__AVX512BF16__)
inline void pack_score_row(const float* row, std::int64_t padded, PairWord* out) {
  for (std::int64_t i = 0; i < padded; i += kLanes) {
    const auto y = _mm512_cvtneps_pbh(bits<__m512>(load(row + i)));
    std::memcpy(reinterpret_cast<char*>(out) + i * 2, &y, sizeof(y));
  }
}
/** Two query rows as one row of words along queries. */
inline void pack_score_pair(const float* first, const float* second, std::int64_t padded,
                            PairWord* out) {
  for (std::int64_t i = 0; i < padded; i += kLanes) {
    const auto both =
        _mm512_cvtne2ps_pbh(bits<__m512>(load(second + i)), bits<__m512>(load(first + i)));
    alignas(64) bf16 lanes[2 * kLanes];
    std::memcpy(lanes, &both, sizeof(both));
    vu low, high;
    vh x;
    std::memcpy(&x, lanes, sizeof(x));
    low = __builtin_convertvector(x, vu);
    std::memcpy(&x, lanes + kLanes, sizeof(x));
    high = __builtin_convertvector(x, vu);
    const vu words = low | (high << 16);
    std::memcpy(out + i, &words, sizeof(words));
  }
}
#endif

/** [rows, padded] fp32 -> words along rows: out[row word][padded]. rows beyond the last count as
 * zero. */
template <typename Word>
void pack_score_columns(const float* scores, std::int64_t rows, std::int64_t padded,
                        const float* zeros, Word* out) {
  if constexpr (Word::kPerWord == 1) {
    (void)zeros;
    std::memcpy(out, scores, static_cast<std::size_t>(rows * padded) * sizeof(float));
  } else {
    for (std::int64_t r = 0; r < rows; r += 2, out += padded) {
      const float* first = scores + r * padded;
      pack_score_pair(first, r + 1 < rows ? first + padded : zeros, padded, out);
    }
  }
}

template <typename T>
void store_row(const float* row, std::int64_t dim, T* out) {
  for_lanes(dim, [&](int, auto get, auto put) { put(out, get(row)); });
}

// ---- attention ----

/** Unnormalized softmax of scores [count, padded] in place, zeros beyond `keys`: e^(x * scale -
 * top). tops and sums [count]. */
void exponentiate(float* scores, std::int64_t count, std::int64_t keys, std::int64_t padded,
                  float scale, float* tops, float* sums) {
  for (std::int64_t r = 0; r < count; ++r, scores += padded) {
    vf highest = broadcast(-INFINITY), total = {};
    for_lanes(keys, [&](int, auto get, auto) { highest = max(get(scores, -INFINITY), highest); });
    const float top = max(highest) * scale;
    for_lanes(keys, [&](int, auto get, auto put) {
      const vf e = exp(get(scores, -INFINITY) * scale - top);
      total += e;
      put(scores, e);
    });
    std::fill(scores + keys, scores + padded, 0.0F);
    tops[r] = top;
    sums[r] = sum(total);
  }
}

/** Keys transposed in panels of kPanel (the last as wide as it must be), each [dim words][keys of
 * the panel]: while all queries of a block pass, a panel stays in the first cache. */
template <typename T, typename Word>
void pack_key_panels(const Attention& a, std::int64_t padded, Word* rows, Word* out) {
  const auto* keys = static_cast<const T*>(a.k);
  const std::int64_t dim_words = a.head_dim / Word::kPerWord;
  for (std::int64_t first = 0; first < padded; first += kPanel) {
    const std::int64_t width = std::min<std::int64_t>(kPanel, padded - first);
    pack_transposed(keys + first * a.kv_stride, std::min(width, a.keys - first), a.head_dim,
                    a.kv_stride, width, rows, out);
    out += dim_words * width;
  }
}

template <typename T, typename Word>
void forward(const Attention& a) {
  constexpr int per_word = Word::kPerWord;
  constexpr std::int64_t kValueWords = 128;  // rows of values that stay in the first cache
  const std::int64_t keys = round_up(a.keys, kLanes), dim = round_up(a.head_dim, kLanes);
  const std::int64_t dim_words = a.head_dim / per_word,
                     key_words = round_up(a.keys, per_word) / per_word;
  Arena arena(a.scratch);
  Word* rows = arena.take<Word>(std::max<std::int64_t>(kPanel, kQueryBlock) * dim_words);
  Word* k_panels = arena.take<Word>(dim_words * keys);
  Word* v = arena.take<Word>(key_words * dim);
  float* scores = arena.take<float>(kQueryBlock * keys);
  Word* packed_weights = arena.take<Word>(kQueryBlock * keys);
  float* out = arena.take<float>(kQueryBlock * dim);
  float tops[kQueryBlock], sums[kQueryBlock];

  pack_key_panels<T>(a, keys, rows, k_panels);
  pack_tokens(static_cast<const T*>(a.v), a.keys, a.head_dim, a.kv_stride, dim, v);
  for (std::int64_t first = 0; first < a.queries; first += kQueryBlock) {
    const std::int64_t count = std::min(kQueryBlock, a.queries - first);
    pack_rows(static_cast<const T*>(a.q) + first * a.q_stride, count, a.head_dim, a.q_stride, rows);
    for (std::int64_t key = 0; key < keys; key += kPanel) {
      const std::int64_t width = std::min<std::int64_t>(kPanel, keys - key);
      product(count, width, dim_words, rows, dim_words, 1, k_panels + key * dim_words, width,
              store_sums(scores + key, keys, false));
    }
    exponentiate(scores, count, a.keys, keys, a.scale, tops, sums);
    const Word* weights = packed_weights;
    if constexpr (per_word == 1) {
      weights = reinterpret_cast<const Word*>(scores);
    } else {
      for (std::int64_t r = 0; r < count; ++r)
        pack_score_row(scores + r * keys, keys, packed_weights + r * (keys / per_word));
    }
    for (std::int64_t k = 0; k < key_words; k += kValueWords)
      product(count, dim, std::min(kValueWords, key_words - k), weights + k, keys / per_word, 1,
              v + k * dim, dim, store_sums(out, dim, k > 0));
    for (std::int64_t r = 0; r < count; ++r) {
      const float* row = out + r * dim;
      T* to = static_cast<T*>(a.out) + (first + r) * a.out_stride;
      const float inverse = 1.0F / sums[r];
      for_lanes(a.head_dim, [&](int, auto get, auto put) { put(to, get(row) * inverse); });
      if (a.logsumexp != nullptr) a.logsumexp[first + r] = tops[r] + std::log(sums[r]);
    }
  }
}

// P = softmax(S): dV = P^T dO, dP = dO V^T, dS = P (dP - rowsum(dO O)) scale, dQ = dS K, dK = dS^T
// Q.
template <typename T, typename Word>
void backward(const AttentionBackward& b) {
  const Attention& a = b.forward;
  constexpr int per_word = Word::kPerWord;
  const std::int64_t keys = round_up(a.keys, kLanes), dim = round_up(a.head_dim, kLanes);
  const std::int64_t dim_words = a.head_dim / per_word,
                     key_words = round_up(a.keys, per_word) / per_word;
  Arena arena(a.scratch);
  Word* rows = arena.take<Word>(std::max(a.keys, kQueryBlock) * dim_words);
  Word* k_transposed = arena.take<Word>(dim_words * keys);
  Word* v_transposed = arena.take<Word>(dim_words * keys);
  Word* k = arena.take<Word>(key_words * dim);
  Word* q = arena.take<Word>(kQueryBlock * dim);
  Word* dout = arena.take<Word>(kQueryBlock * dim);
  float* scores = arena.take<float>(kQueryBlock * keys);
  float* dscores = arena.take<float>(kQueryBlock * keys);
  Word* weights = arena.take<Word>(kQueryBlock * keys);
  float* dq = arena.take<float>(kQueryBlock * dim);
  float* dk = arena.take<float>(keys * dim);
  float* dv = arena.take<float>(keys * dim);
  float* zeros = arena.take<float>(keys);

  pack_transposed(static_cast<const T*>(a.k), a.keys, a.head_dim, a.kv_stride, keys, rows,
                  k_transposed);
  pack_transposed(static_cast<const T*>(a.v), a.keys, a.head_dim, a.kv_stride, keys, rows,
                  v_transposed);
  pack_tokens(static_cast<const T*>(a.k), a.keys, a.head_dim, a.kv_stride, dim, k);
  std::fill(zeros, zeros + keys, 0.0F);
  for (std::int64_t first = 0; first < a.queries; first += kQueryBlock) {
    const std::int64_t count = std::min(kQueryBlock, a.queries - first);
    const std::int64_t count_words = round_up(count, per_word) / per_word;
    const bool accumulate = first > 0;
    const T* q_rows = static_cast<const T*>(a.q) + first * a.q_stride;
    const T* out_rows = static_cast<const T*>(a.out) + first * a.out_stride;
    const T* dout_rows = static_cast<const T*>(b.dout) + first * a.out_stride;
    pack_rows(q_rows, count, a.head_dim, a.q_stride, rows);
    product(count, keys, dim_words, rows, dim_words, 1, k_transposed, keys,
            store_sums(scores, keys, false));
    pack_rows(dout_rows, count, a.head_dim, a.out_stride, rows);
    product(count, keys, dim_words, rows, dim_words, 1, v_transposed, keys,
            store_sums(dscores, keys, false));
    for (std::int64_t r = 0; r < count; ++r) {
      vf products = {};
      const T* o = out_rows + r * a.out_stride;
      const T* d = dout_rows + r * a.out_stride;
      for_lanes(a.head_dim, [&](int, auto get, auto) { products += get(o) * get(d); });
      const float delta = sum(products), top = a.logsumexp[first + r];
      float* row = scores + r * keys;
      float* drow = dscores + r * keys;
      for_lanes(keys, [&](int, auto get, auto put) {
        const vf p = exp(get(row) * a.scale - top);
        put(row, p);
        put(drow, p * (get(drow) - delta) * a.scale);
      });
      std::fill(row + a.keys, row + keys, 0.0F);
      std::fill(drow + a.keys, drow + keys, 0.0F);
    }
    pack_tokens(dout_rows, count, a.head_dim, a.out_stride, dim, dout);
    pack_score_columns(scores, count, keys, zeros, weights);
    product(a.keys, dim, count_words, weights, 1, keys, dout, dim, store_sums(dv, dim, accumulate));
    pack_tokens(q_rows, count, a.head_dim, a.q_stride, dim, q);
    pack_score_columns(dscores, count, keys, zeros, weights);
    product(a.keys, dim, count_words, weights, 1, keys, q, dim, store_sums(dk, dim, accumulate));
    for (std::int64_t r = 0; r < count; ++r) {
      pack_score_row(dscores + r * keys, keys, weights + r * (keys / per_word));
    }
    product(count, dim, key_words, weights, keys / per_word, 1, k, dim, store_sums(dq, dim, false));
    for (std::int64_t r = 0; r < count; ++r) {
      store_row(dq + r * dim, a.head_dim, static_cast<T*>(b.dq) + (first + r) * a.q_stride);
    }
  }
  for (std::int64_t t = 0; t < a.keys; ++t) {
    store_row(dk + t * dim, a.head_dim, static_cast<T*>(b.dk) + t * a.kv_stride);
    store_row(dv + t * dim, a.head_dim, static_cast<T*>(b.dv) + t * a.kv_stride);
  }
}

}  // namespace

void attention_forward(const Attention& a) {
  if (a.int8) return attention_forward_int8(a);
  a.type == Type::BF16 ? forward<bf16, Bf16Word>(a) : forward<float, FloatWord>(a);
}
void attention_backward(const AttentionBackward& b) {
  b.forward.type == Type::BF16 ? backward<bf16, Bf16Word>(b) : backward<float, FloatWord>(b);
}

}  // namespace dino::cpu::DINO_ISA
