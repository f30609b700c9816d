// Products of packed weights on register tiles: kTileRows rows of x times one panel of weights. The
// sums go to a buffer that stays in the L1 cache, from which the epilogue reads them.
#include "dino/cpu/gemm.h"

#include <algorithm>
#include <cmath>

#include "dino/cpu/isa_kernels.h"
#include "dino/cpu/quantize.h"
#include "dino/cpu/words.h"

namespace dino::cpu::DINO_ISA {
namespace {

// ---- packing ----

inline void round_words(const float* x, float, FloatWord* out) {
  std::memcpy(out, x, kLanes * sizeof(float));
}
#if defined(__AVX512BF16__)
inline void round_words(const float* x, float, PairWord* out) {
  store(reinterpret_cast<bf16*>(out), load(x));
  store(reinterpret_cast<bf16*>(out) + kLanes, load(x + kLanes));
}
#endif
inline void round_words(const float* x, float inverse, ByteWord* out) {
  using vb = std::int8_t __attribute__((vector_size(16)));
  const vf magic = broadcast(kRounding);
  for (int i = 0; i < 4; ++i) {
    const vi q = bits<vi>(load(x + i * kLanes) * inverse + magic) - bits<vi>(magic);
    const vb bytes = __builtin_convertvector(q, vb);
    std::memcpy(reinterpret_cast<char*>(out) + i * kLanes, &bytes, sizeof(bytes));
  }
}

/** Rows of a weight as columns of a panel, 16 rows of 16 words at a time; `inverses` of the scales,
 * null for 1. */
template <typename Word>
void pack_words(const float* rows, std::int64_t count, std::int64_t inputs, const float* inverses,
                Word* out) {
  constexpr std::int64_t kInputs = kLanes * Word::kPerWord;  // of 16 words
  const std::int64_t words = round_up(inputs, Word::kPerWord) / Word::kPerWord;
  Word block[kLanes * kLanes], column[kLanes * kLanes];
  for (std::int64_t first = 0; first < kPanel; first += kLanes) {
    for (std::int64_t w = 0; w < words; w += kLanes) {
      const std::int64_t from = w * Word::kPerWord;
      const std::int64_t given = std::min(kInputs, inputs - from);
      for (std::int64_t r = 0; r < kLanes; ++r) {
        Word* row = block + r * kLanes;
        float padded[kInputs] = {};
        const bool there = first + r < count;
        const float* x = rows + (first + r) * inputs + from;
        if (!there || given < kInputs) {
          if (there) std::copy_n(x, given, padded);
          x = padded;
        }
        round_words(x, inverses == nullptr || !there ? 1.0F : inverses[first + r], row);
      }
      const std::int64_t last = std::min<std::int64_t>(kLanes, words - w);
      Word* to = out + w * kPanel + first;
      if (last == kLanes) {
        transpose_block(block, kLanes, to, kPanel);
      } else {
        transpose_block(block, kLanes, column, kLanes);
        for (std::int64_t i = 0; i < last; ++i)
          std::copy_n(column + i * kLanes, kLanes, to + i * kPanel);
      }
    }
  }
}

void pack_bytes(const float* rows, std::int64_t count, std::int64_t inputs, ByteWord* out,
                float* scales, std::int32_t* sums) {
  float inverses[kPanel];
  for (std::int64_t r = 0; r < kPanel; ++r) {
    vf tops = {};
    if (r < count) {
      for_lanes(inputs,
                [&](int, auto get, auto) { tops = max_magnitude(tops, get(rows + r * inputs)); });
    }
    scales[r] = step_of(max_magnitude(tops), 127.0F);
    inverses[r] = 1.0F / scales[r];
    sums[r] = 0;
  }
  pack_words(rows, count, inputs, inverses, out);
  const std::int64_t words = round_up(inputs, 4) / 4;
  for (std::int64_t w = 0; w < words; ++w)
    for (std::int64_t r = 0; r < kPanel; ++r)
      for (int byte = 0; byte < 4; ++byte)
        sums[r] += static_cast<std::int8_t>(out[w * kPanel + r].value() >> (8 * byte));
}

/** Rounds to bf16 and back: what widened bf16 weights are. */
[[maybe_unused]] void round_to_bf16(FloatWord* words, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    vf x;
    std::memcpy(&x, words + i, sizeof(x));
    bf16 rounded[kLanes];
    store(rounded, x);
    x = load(rounded);
    std::memcpy(words + i, &x, sizeof(x));
  }
}

// ---- the epilogues: on a buffer of `count` columns per row, kPanel floats apart ----

/** Sums of one tile as floats, bias added. */
template <typename Word>
void finish_sums(const Gemm& g, const typename Word::Sum* sums, int rows, std::int64_t first_row,
                 std::int64_t packed_column, const float* bias, std::int64_t count, float* out) {
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < kTileVectors; ++v) {
      vf y;
      if constexpr (std::is_same_v<Word, ByteWord>) {
        const std::int64_t column = packed_column + v * kLanes;
        vi offset;
        std::memcpy(&offset, g.weights->sums() + column, sizeof(offset));
        const vi exact = sums[r * kTileVectors + v] - offset * 128;
        y = __builtin_convertvector(exact, vf) * load(g.weights->scales() + column) *
            g.x_scales[first_row + r];
      } else {
        y = sums[r * kTileVectors + v];
      }
      const std::int64_t left = count - v * kLanes;
      if (bias != nullptr && left > 0)
        y += left >= kLanes ? load(bias + v * kLanes) : load_some(bias + v * kLanes, left);
      store(out + r * kPanel + v * kLanes, y);
    }
  }
}

template <typename T>
void write_rows(const Gemm& g, const float* y, const float* gate, int rows, std::int64_t first_row,
                std::int64_t first_column, std::int64_t count) {
  for (int r = 0; r < rows; ++r, y += kPanel) {
    T* out = static_cast<T*>(g.out) + (first_row + r) * g.out_stride + first_column;
    switch (g.epilogue) {
      case Epilogue::Store:
        for_lanes(count, [&](int, auto get, auto put) { put(out, get(y)); });
        break;
      case Epilogue::Gelu:
        for_lanes(count, [&](int, auto get, auto put) {
          const vf u = get(y);
          put(out, u * normal_cdf(u).cdf);
        });
        break;
      case Epilogue::AddScaled: {
        const float* gain = g.gain;
        for_lanes(count, [&](int, auto get, auto put) {
          const vf u = gain == nullptr ? get(y) : get(y) * get(gain + first_column);
          put(out, get(out) + u);
        });
        break;
      }
      case Epilogue::SwiGlu: {
        const float* a = gate + r * kPanel;
        for_lanes(count, [&](int, auto get, auto put) {
          const vf u = get(a);
          put(out, u / (1.0F + exp(-u)) * get(y));
        });
        break;
      }
    }
  }
}

void write_tile(const Gemm& g, const float* y, const float* gate, int rows, std::int64_t first_row,
                std::int64_t first_column, std::int64_t count) {
  if (g.out_type == Type::BF16) {
    write_rows<bf16>(g, y, gate, rows, first_row, first_column, count);
  } else {
    write_rows<float>(g, y, gate, rows, first_row, first_column, count);
  }
}

// ---- the product ----

/** Prefetches the panel that is needed next into the L2 cache, a few lines with each tile. */
class Prefetch {
 public:
  Prefetch(const void* first, std::int64_t bytes)
      : next_(static_cast<const char*>(first)), end_(next_ + bytes) {}
  void line() {
    if (next_ < end_) __builtin_prefetch(next_, 0, 2);
    next_ += 64;
  }

 private:
  const char *next_, *end_;
};

Prefetch first_panel(const PackedWeights* w) {
  return w == nullptr ? Prefetch(nullptr, 0) : Prefetch(w->panels(), kPanel * w->words() * 4);
}

template <typename Word, int rows>
void tile_sums(const Word* x, std::int64_t x_row, const Word* panel, std::int64_t words,
               Prefetch& prefetch, typename Word::Sum* out) {
  constexpr std::int64_t kStep = 4;  // words between two lines that are fetched
  typename Word::Sum sums[rows][kTileVectors] = {};
  std::int64_t k = 0;
  for (; k + kStep <= words; k += kStep) {
    prefetch.line();
    multiply_tile<rows, kTileVectors>(x + k, x_row, 1, panel + k * kPanel, kPanel, kStep, sums);
  }
  multiply_tile<rows, kTileVectors>(x + k, x_row, 1, panel + k * kPanel, kPanel, words - k, sums);
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < kTileVectors; ++v) out[r * kTileVectors + v] = sums[r][v];
}

template <typename Word>
void tile_sums(int rows, const Word* x, std::int64_t x_row, const Word* panel, std::int64_t words,
               Prefetch& prefetch, typename Word::Sum* out) {
  switch (rows) {
    case 6:
      return tile_sums<Word, 6>(x, x_row, panel, words, prefetch, out);
    case 5:
      return tile_sums<Word, 5>(x, x_row, panel, words, prefetch, out);
    case 4:
      return tile_sums<Word, 4>(x, x_row, panel, words, prefetch, out);
    case 3:
      return tile_sums<Word, 3>(x, x_row, panel, words, prefetch, out);
    case 2:
      return tile_sums<Word, 2>(x, x_row, panel, words, prefetch, out);
    case 1:
      return tile_sums<Word, 1>(x, x_row, panel, words, prefetch, out);
    default:
      return;
  }
}

template <typename Word>
void multiply(const Gemm& g) {
  const PackedWeights& w = *g.weights;
  const std::int64_t words = w.words();
  const std::int64_t x_row = g.x_stride / Word::kPerWord;
  const std::int64_t columns = w.gated() ? w.outputs() / 2 : w.outputs();
  const std::int64_t panels = w.gated() ? 2 : 1;  // that are multiplied together
  const std::int64_t panel_words = panels * kPanel * words;
  const auto* x = static_cast<const Word*>(g.x);
  const auto* panel = static_cast<const Word*>(w.panels());
  alignas(64) typename Word::Sum sums[kTileRows * kTileVectors];
  alignas(64) float y[kTileRows * kPanel], gate[kTileRows * kPanel];
  std::int64_t packed = 0;  // first column of the panel in packed order
  for (std::int64_t column = 0; column < columns; column += kPanel, panel += panel_words) {
    const std::int64_t count = std::min<std::int64_t>(kPanel, columns - column);
    const float* bias = g.bias == nullptr ? nullptr : g.bias + column;
    const bool last = column + kPanel >= columns;
    Prefetch prefetch = last ? first_panel(g.next) : Prefetch(panel + panel_words, panel_words * 4);
    for (std::int64_t r = 0; r < g.rows; r += kTileRows) {
      const int rows = static_cast<int>(std::min<std::int64_t>(kTileRows, g.rows - r));
      tile_sums(rows, x + r * x_row, x_row, panel, words, prefetch, sums);
      finish_sums<Word>(g, sums, rows, r, packed, bias, count, w.gated() ? gate : y);
      if (w.gated()) {
        tile_sums(rows, x + r * x_row, x_row, panel + kPanel * words, words, prefetch, sums);
        finish_sums<Word>(g, sums, rows, r, packed + kPanel,
                          bias == nullptr ? nullptr : bias + columns, count, y);
      }
      write_tile(g, y, gate, rows, r, column, count);
    }
    packed += panels * kPanel;
  }
}

template <typename T>
void quantize(const Quantize& q) {
  for (std::int64_t r = 0; r < q.rows; ++r)
    q.scales[r] = quantize_row(static_cast<const T*>(q.x) + r * q.stride, q.dim,
                               q.out + r * q.out_stride, q.out_stride);
}

}  // namespace

void pack_panel(GemmType type, const float* rows, std::int64_t count, std::int64_t inputs,
                void* out, float* scales, std::int32_t* sums) {
  switch (type) {
    case GemmType::F32:
      return pack_words(rows, count, inputs, nullptr, static_cast<FloatWord*>(out));
    case GemmType::BF16: {
      pack_words(rows, count, inputs, nullptr, static_cast<Bf16Word*>(out));
      if constexpr (std::is_same_v<Bf16Word, FloatWord>)
        round_to_bf16(static_cast<FloatWord*>(out), inputs * kPanel);
      return;
    }
    case GemmType::I8:
      return pack_bytes(rows, count, inputs, static_cast<ByteWord*>(out), scales, sums);
  }
}

void gemm(const Gemm& g) {
  switch (g.weights->type()) {
    case GemmType::F32:
      return multiply<FloatWord>(g);
    case GemmType::BF16:
      return multiply<Bf16Word>(g);
    case GemmType::I8:
      return multiply<ByteWord>(g);
  }
}

void quantize_rows(const Quantize& q) {
  q.type == Type::BF16 ? quantize<bf16>(q) : quantize<float>(q);
}

}  // namespace dino::cpu::DINO_ISA
