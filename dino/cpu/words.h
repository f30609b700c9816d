// Operands of the register-tiled matrix products: matrices of 32-bit words. A word holds one float,
// two bf16, two 16-bit integers or four bytes that are neighbors along the summed dimension, as
// dot-product instructions take them. To be included only by *_isa.cpp files, like vec.h.
#pragma once
#include "dino/base/rounding.h"
#include "dino/cpu/vec.h"

namespace dino::cpu::DINO_ISA {

#if defined(__AVX512F__)
constexpr int kTileRows = 6, kTileVectors = 4;  // 24 of 32 registers are accumulators
#else
constexpr int kTileRows = 6, kTileVectors = 1;  // two 256-bit registers per vector, so 12 of 16
#endif

constexpr int kPanel = kTileVectors * kLanes;  ///< outputs per panel of packed weights

/** One float per word. */
struct FloatWord {
  static constexpr int kPerWord = 1;
  using Sum = vf;
  float value;
  static vf multiply_add(vf sum, const FloatWord* a, const FloatWord* b) {
    vf x;
    std::memcpy(&x, b, sizeof(x));
    return sum + a->value * x;
  }
};

/** A word that holds several numbers, stored as bytes: it is read from arrays of other types, which
 * may not be aligned to four bytes. */
struct PackedWord {
  unsigned char bytes[4];
  std::uint32_t value() const {
    std::uint32_t word;
    std::memcpy(&word, bytes, sizeof(word));
    return word;
  }
  static PackedWord of(std::uint32_t word) {
    PackedWord packed;
    std::memcpy(packed.bytes, &word, sizeof(word));
    return packed;
  }
};

#if defined(__AVX512BF16__)
/** Two bf16 per word. */
struct PairWord : PackedWord {
  static constexpr int kPerWord = 2;
  using Sum = vf;
  static vf multiply_add(vf sum, const PairWord* a, const PairWord* b) {
    __m512i x;
    std::memcpy(&x, b, sizeof(x));
    const __m512i y = _mm512_set1_epi32(static_cast<int>(a->value()));
    return bits<vf>(_mm512_dpbf16_ps(bits<__m512>(sum), bits<__m512bh>(y), bits<__m512bh>(x)));
  }
};
inline PairWord make_pair(bf16 low, bf16 high) {
  return {PackedWord::of(static_cast<std::uint32_t>(low) | static_cast<std::uint32_t>(high) << 16)};
}
#endif

inline float to_float(float x) {
  return x;
}
inline float to_float(bf16 x) {
  return bits<float>(static_cast<std::uint32_t>(x) << 16);
}

#if defined(__AVX512BF16__)
using Bf16Word = PairWord;
#else
using Bf16Word = FloatWord;                     // packing converts bf16 to float
#endif

/** Four bytes per word, unsigned in the first operand and signed in the second; sums are int32. */
struct ByteWord : PackedWord {
  static constexpr int kPerWord = 4;
  using Sum = vi;
  static vi multiply_add(vi sum, const ByteWord* a, const ByteWord* b) {
#if defined(__AVX512VNNI__)
    __m512i x;
    std::memcpy(&x, b, sizeof(x));
    const __m512i y = _mm512_set1_epi32(static_cast<int>(a->value()));
    return bits<vi>(_mm512_dpbusd_epi32(bits<__m512i>(sum), y, x));
#else
    vu x;
    std::memcpy(&x, b, sizeof(x));
    for (int byte = 0; byte < 4; ++byte) {
      const vi second = bits<vi>(x << (24 - 8 * byte)) >> 24;
      sum += second * static_cast<std::int32_t>((a->value() >> (8 * byte)) & 0xff);
    }
    return sum;
#endif
  }
};

/** Two signed 16-bit integers per word; sums are int32. */
struct ShortWord : PackedWord {
  static constexpr int kPerWord = 2;
  using Sum = vi;
  static vi multiply_add(vi sum, const ShortWord* a, const ShortWord* b) {
#if defined(__AVX512VNNI__)
    __m512i x;
    std::memcpy(&x, b, sizeof(x));
    const __m512i y = _mm512_set1_epi32(static_cast<int>(a->value()));
    return bits<vi>(_mm512_dpwssd_epi32(bits<__m512i>(sum), y, x));
#else
    vi x;
    std::memcpy(&x, b, sizeof(x));
    return sum + (x << 16 >> 16) * static_cast<std::int16_t>(a->value()) +
           (x >> 16) * static_cast<std::int16_t>(a->value() >> 16);
#endif
  }
};

/** Transposes a block of 16 x 16 words; rows are `from_row` and `to_row` words apart. */
template <typename Word>
void transpose_block(const Word* from, std::int64_t from_row, Word* to, std::int64_t to_row) {
  vu rows[kLanes], next[kLanes];
  for (int i = 0; i < kLanes; ++i) std::memcpy(&rows[i], from + i * from_row, sizeof(vu));
  // Interleaving rows i and i + 8 four times moves element (i, j) to (j, i).
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < kLanes / 2; ++i) {
      next[2 * i] = __builtin_shufflevector(rows[i], rows[i + kLanes / 2], 0, 16, 1, 17, 2, 18, 3,
                                            19, 4, 20, 5, 21, 6, 22, 7, 23);
      next[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + kLanes / 2], 8, 24, 9, 25, 10, 26,
                                                11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    std::memcpy(rows, next, sizeof(rows));
  }
  for (int i = 0; i < kLanes; ++i) std::memcpy(to + i * to_row, &rows[i], sizeof(vu));
}

/** sums += A B, where A is `rows` rows of a (a_row words apart, their words a_k apart) and B is
 * `depth` rows of b (b_row words apart), each `vectors` * 16 wide. */
template <int rows, int vectors, typename Word>
inline void multiply_tile(const Word* a, std::int64_t a_row, std::int64_t a_k, const Word* b,
                          std::int64_t b_row, std::int64_t depth,
                          typename Word::Sum (&sums)[rows][vectors]) {
  for (std::int64_t k = 0; k < depth; ++k) {
    for (int r = 0; r < rows; ++r) {
      for (int v = 0; v < vectors; ++v) {
        sums[r][v] =
            Word::multiply_add(sums[r][v], a + r * a_row + k * a_k, b + k * b_row + v * kLanes);
      }
    }
  }
}

}  // namespace dino::cpu::DINO_ISA
