// Vectors of eight integers in the vector extensions of GCC and Clang, one source for every
// instruction set. Only conversions between bytes and integers use AVX2 intrinsics, since GCC 12
// compiles the portable ones to byte operations.
#pragma once
#include <cstdint>
#include <cstring>
#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace dino::image::simd {

using Bytes8 = std::uint8_t __attribute__((vector_size(8)));
using Bytes16 = std::uint8_t __attribute__((vector_size(16)));
using Ints8 = std::int32_t __attribute__((vector_size(32)));
using Uints8 = std::uint32_t __attribute__((vector_size(32)));
using Floats8 = float __attribute__((vector_size(32)));
using Doubles8 = double __attribute__((vector_size(64)));  // not for parameters: its ABI varies

inline Bytes16 load16(const std::uint8_t* from) {
  Bytes16 bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

inline void store16(Bytes16 bytes, std::uint8_t* to) {
  std::memcpy(to, &bytes, sizeof bytes);
}

/** Loads eight bytes as integers. */
inline Ints8 load_ints(const std::uint8_t* from) {
#ifdef __AVX2__
  return reinterpret_cast<Ints8>(
      _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
  Bytes8 bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return __builtin_convertvector(bytes, Ints8);
#endif
}

/** Stores eight values, clipped to 0..255, as bytes. */
inline void store_bytes(Ints8 values, std::uint8_t* to) {
#ifdef __AVX2__
  const auto v = reinterpret_cast<__m256i>(values);
  const __m128i shorts = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(shorts, shorts));
#else
  values = values < 0 ? Ints8{} : values;
  values = values > 255 ? Ints8{} + 255 : values;
  const Bytes8 bytes = __builtin_convertvector(values, Bytes8);
  std::memcpy(to, &bytes, sizeof bytes);
#endif
}

/** Converts sixteen values, clipped to 0..255, to bytes. */
inline Bytes16 narrow(Ints8 low, Ints8 high) {
#ifdef __AVX2__
  const __m256i mixed =
      _mm256_packs_epi32(reinterpret_cast<__m256i>(low), reinterpret_cast<__m256i>(high));
  const __m256i shorts = _mm256_permute4x64_epi64(mixed, 0b11011000);
  return reinterpret_cast<Bytes16>(
      _mm_packus_epi16(_mm256_castsi256_si128(shorts), _mm256_extracti128_si256(shorts, 1)));
#else
  std::uint8_t bytes[16];
  store_bytes(low, bytes);
  store_bytes(high, bytes + 8);
  return load16(bytes);
#endif
}

inline Ints8 max(Ints8 a, Ints8 b) {
  return a > b ? a : b;
}
inline Ints8 min(Ints8 a, Ints8 b) {
  return a < b ? a : b;
}

}  // namespace dino::image::simd
