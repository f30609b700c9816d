// Vectorized operations on rows of bytes, shared by resize and blur: weighted sums of rows, and
// transposition of 16 rows, so that filters along x can run as filters over rows.
#pragma once
#include <array>
#include <cstddef>

#include "dino/image/pixels/kernels.h"
#include "dino/image/pixels/simd.h"

namespace dino::image {

inline constexpr std::size_t kBlockRows = 16;  ///< rows transposed at once

namespace simd {

/** out[i] = the rounded, clipped sum over k of weights[k] * row_at(k)[at + i], for i < 8 *
 * kVectors. */
template <int kVectors, typename RowAt>
inline void add_rows(const RowAt& row_at, const std::int32_t* weights, int taps, std::size_t at,
                     std::uint8_t* out) {
  Ints8 sums[kVectors];
  for (auto& sum : sums) sum = Ints8{} + (1 << (kWeightBits - 1));
  for (int k = 0; k < taps; ++k) {
    const std::uint8_t* row = row_at(k) + at;
    for (int v = 0; v < kVectors; ++v) sums[v] += load_ints(row + 8 * v) * weights[k];
  }
  for (int v = 0; v < kVectors; ++v) store_bytes(sums[v] >> kWeightBits, out + 8 * v);
}

/** Transposes a 16 x 16 byte tile in 16 vectors by four perfect shuffles. */
inline void transpose(Bytes16 (&tile)[16]) {
  for (int stage = 0; stage < 4; ++stage) {
    Bytes16 next[16];
    for (int i = 0; i < 8; ++i) {
      next[2 * i] = __builtin_shufflevector(tile[i], tile[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20,
                                            5, 21, 6, 22, 7, 23);
      next[2 * i + 1] = __builtin_shufflevector(tile[i], tile[i + 8], 8, 24, 9, 25, 10, 26, 11, 27,
                                                12, 28, 13, 29, 14, 30, 15, 31);
    }
    std::memcpy(tile, next, sizeof next);
  }
}

}  // namespace simd

/** out[i] = clip8(sum over k < taps of weights[k] * row_at(k)[i] + 1/2) for i < size. Rows and out
 * must not overlap. */
template <typename RowAt>
inline void add_weighted_rows(const RowAt& row_at, const std::int32_t* weights, int taps,
                              std::size_t size, std::uint8_t* out) {
  // The last vectors overlap the previous ones, which is faster than a loop over the tail.
  if (size >= 48) {
    std::size_t at = 0;
    for (; at + 48 <= size; at += 48) simd::add_rows<6>(row_at, weights, taps, at, out + at);
    if (at < size) simd::add_rows<6>(row_at, weights, taps, size - 48, out + size - 48);
  } else if (size >= 8) {
    std::size_t at = 0;
    for (; at + 8 <= size; at += 8) simd::add_rows<1>(row_at, weights, taps, at, out + at);
    if (at < size) simd::add_rows<1>(row_at, weights, taps, size - 8, out + size - 8);
  } else {
    for (std::size_t i = 0; i < size; ++i) {
      std::int32_t sum = 1 << (kWeightBits - 1);
      for (int k = 0; k < taps; ++k) sum += weights[k] * row_at(k)[i];
      sum >>= kWeightBits;
      out[i] = static_cast<std::uint8_t>(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
  }
}

/** Transposes bytes [begin, begin + size) of 16 rows: out is [size, 16]. */
inline void turn_rows(const std::array<const std::uint8_t*, kBlockRows>& rows, std::size_t begin,
                      std::size_t size, std::uint8_t* out) {
  for (std::size_t at = 0; at < size; at += 16) {
    const std::size_t bytes = size - at < 16 ? size - at : 16;
    simd::Bytes16 tile[16] = {};
    if (bytes == 16)
      for (std::size_t r = 0; r < 16; ++r) std::memcpy(&tile[r], rows[r] + begin + at, 16);
    else
      for (std::size_t r = 0; r < 16; ++r) std::memcpy(&tile[r], rows[r] + begin + at, bytes);
    simd::transpose(tile);
    std::memcpy(out + at * 16, tile, bytes * 16);
  }
}

/** Transposes [size, 16] bytes back into `count` <= 16 rows, `stride` bytes apart. */
inline void turn_back(const std::uint8_t* in, std::size_t size, std::size_t count,
                      std::size_t stride, std::uint8_t* out) {
  for (std::size_t at = 0; at < size; at += 16) {
    const std::size_t bytes = size - at < 16 ? size - at : 16;
    simd::Bytes16 tile[16] = {};
    std::memcpy(tile, in + at * 16, bytes * 16);
    simd::transpose(tile);
    if (bytes == 16)
      for (std::size_t r = 0; r < count; ++r) std::memcpy(out + r * stride + at, &tile[r], 16);
    else
      for (std::size_t r = 0; r < count; ++r) std::memcpy(out + r * stride + at, &tile[r], bytes);
  }
}

/** The pointers row_at(begin) to row_at(begin + 15); rows from `end` on are replaced by the last
 * one. */
template <typename RowAt>
std::array<const std::uint8_t*, kBlockRows> block_of_rows(int begin, int end, const RowAt& row_at) {
  std::array<const std::uint8_t*, kBlockRows> rows;
  for (int r = 0; r < static_cast<int>(kBlockRows); ++r)
    rows[static_cast<std::size_t>(r)] = row_at(begin + r < end ? begin + r : end - 1);
  return rows;
}

}  // namespace dino::image
