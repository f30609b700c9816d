// Building blocks of the attention kernels: tiled matrix products, packing of their operands and a
// scratch allocator. To be included only by *_isa.cpp files, like vec.h.
#pragma once
#include <algorithm>

#include "dino/cpu/words.h"

namespace dino::cpu::DINO_ISA {

constexpr std::int64_t kQueryBlock = 48;  // queries per block, whose scores fit the cache; even

// ---- products: C [m, n] = A [m, k] B [k, n], k counted in words ----

/** Computes one register tile of C. finish(row, column, sums) receives the 16 sums C[row, column
 * ... column + 15]. */
template <int rows, int vectors, typename Word, typename Finish>
void tile(const Word* a, std::int64_t a_row, std::int64_t a_k, const Word* b, std::int64_t b_row,
          std::int64_t depth, std::int64_t row, std::int64_t column, const Finish& finish) {
  typename Word::Sum sums[rows][vectors] = {};
  multiply_tile<rows, vectors>(a, a_row, a_k, b, b_row, depth, sums);
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) finish(row + r, column + v * kLanes, sums[r][v]);
}

template <int vectors, typename Word, typename Finish>
void tile_rows(std::int64_t rows, const Word* a, std::int64_t a_row, std::int64_t a_k,
               const Word* b, std::int64_t b_row, std::int64_t depth, std::int64_t column,
               const Finish& finish) {
  std::int64_t row = 0;
  for (; row + kTileRows <= rows; row += kTileRows, a += kTileRows * a_row)
    tile<kTileRows, vectors>(a, a_row, a_k, b, b_row, depth, row, column, finish);
  switch (rows - row) {
    case 5:
      return tile<5, vectors>(a, a_row, a_k, b, b_row, depth, row, column, finish);
    case 4:
      return tile<4, vectors>(a, a_row, a_k, b, b_row, depth, row, column, finish);
    case 3:
      return tile<3, vectors>(a, a_row, a_k, b, b_row, depth, row, column, finish);
    case 2:
      return tile<2, vectors>(a, a_row, a_k, b, b_row, depth, row, column, finish);
    case 1:
      return tile<1, vectors>(a, a_row, a_k, b, b_row, depth, row, column, finish);
    default:
      return;
  }
}

/** Computes C and passes it to `finish` as tile() does. A's word (m, k) is a[m * a_row + k * a_k],
 * B's word (k, n) is b[k * b_row + n]; n is a multiple of 16, so B is padded to it. */
template <typename Word, typename Finish>
void product(std::int64_t m, std::int64_t n, std::int64_t depth, const Word* a, std::int64_t a_row,
             std::int64_t a_k, const Word* b, std::int64_t b_row, const Finish& finish) {
  std::int64_t column = 0;
  for (; column + kPanel <= n; column += kPanel)
    tile_rows<kTileVectors>(m, a, a_row, a_k, b + column, b_row, depth, column, finish);
  if constexpr (kTileVectors > 1) {
    b += column;
    switch ((n - column) / kLanes) {
      case 3:
        return tile_rows<3>(m, a, a_row, a_k, b, b_row, depth, column, finish);
      case 2:
        return tile_rows<2>(m, a, a_row, a_k, b, b_row, depth, column, finish);
      case 1:
        return tile_rows<1>(m, a, a_row, a_k, b, b_row, depth, column, finish);
      default:
        return;
    }
  }
}

/** A `finish` for product() that writes fp32 sums to C, or adds them to it; rows of C are c_row
 * floats apart. */
inline auto store_sums(float* c, std::int64_t c_row, bool accumulate) {
  return [=](std::int64_t row, std::int64_t column, vf sums) {
    float* to = c + row * c_row + column;
    store(to, accumulate ? load(to) + sums : sums);
  };
}

// ---- packing: x is [tokens, dim], `stride` elements between rows ----

/** Packs x as a first operand: out is [tokens, dim / kPerWord] words. */
template <typename T, typename Word>
void pack_rows(const T* x, std::int64_t tokens, std::int64_t dim, std::int64_t stride, Word* out) {
  const std::int64_t words = dim / Word::kPerWord;
  for (std::int64_t t = 0; t < tokens; ++t, x += stride, out += words) {
    if constexpr (sizeof(T) * Word::kPerWord == sizeof(Word)) {
      std::memcpy(out, x, static_cast<std::size_t>(words) * sizeof(Word));
    } else {
      for (std::int64_t i = 0; i < words; ++i) out[i].value = to_float(x[i]);
    }
  }
}

/** Packs x transposed, as a second operand: out is [dim / kPerWord, padded] words, where columns
 * from `tokens` on are zero. `rows` is scratch of tokens * dim / kPerWord words. */
template <typename T, typename Word>
void pack_transposed(const T* x, std::int64_t tokens, std::int64_t dim, std::int64_t stride,
                     std::int64_t padded, Word* rows, Word* out) {
  const std::int64_t words = dim / Word::kPerWord;
  const Word* from = rows;
  std::int64_t from_row = words;
  if constexpr (sizeof(T) * Word::kPerWord == sizeof(Word)) {
    if (stride % Word::kPerWord == 0) {  // x has the layout of words, so it needs no copy
      from = reinterpret_cast<const Word*>(x);
      from_row = stride / Word::kPerWord;
    } else {
      pack_rows(x, tokens, dim, stride, rows);
    }
  } else {
    pack_rows(x, tokens, dim, stride, rows);
  }
  for (std::int64_t t = 0; t < padded; t += kLanes) {
    for (std::int64_t w = 0; w < words; w += kLanes) {
      if (t + kLanes <= tokens && w + kLanes <= words) {
        transpose_block(from + t * from_row + w, from_row, out + w * padded + t, padded);
        continue;
      }
      for (std::int64_t j = w; j < std::min(w + kLanes, words); ++j) {
        for (std::int64_t i = t; i < t + kLanes; ++i) {
          out[j * padded + i] = i < tokens ? from[i * from_row + j] : Word{};
        }
      }
    }
  }
}

// ---- scratch ----

/** Splits the caller's scratch, which is 64-byte aligned, into arrays aligned the same way. Does
 * not check its size. */
class Arena {
 public:
  explicit Arena(void* memory) : next_(static_cast<char*>(memory)) {}
  template <typename T>
  T* take(std::int64_t count) {
    T* piece = reinterpret_cast<T*>(next_);
    next_ += round_up(count * static_cast<std::int64_t>(sizeof(T)), 64);
    return piece;
  }

 private:
  char* next_;
};

}  // namespace dino::cpu::DINO_ISA
