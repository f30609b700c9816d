// Vector helpers of the AVX-512 kernels. These files are compiled for processors that the rest of
// the program may not run on, so they must not include headers with inline functions: the linker
// might keep the AVX-512 version for the whole program.
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace dino::image::avx512 {

/** The mask of bytes [0, count) of 64; `count` is clipped. */
inline __mmask64 first_bytes(std::ptrdiff_t count) {
  return count >= 64 ? ~0ULL : count <= 0 ? 0 : _bzhi_u64(~0ULL, static_cast<unsigned>(count));
}

/** Widens 64 bytes to four vectors of 16 integers: vector q holds bytes 16 * l + 4 * q ... + 3 of
 * every 128-bit lane l. */
inline void unpack(__m512i bytes, __m512i (&ints)[4]) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i low = _mm512_unpacklo_epi8(bytes, zero), high = _mm512_unpackhi_epi8(bytes, zero);
  ints[0] = _mm512_unpacklo_epi16(low, zero);
  ints[1] = _mm512_unpackhi_epi16(low, zero);
  ints[2] = _mm512_unpacklo_epi16(high, zero);
  ints[3] = _mm512_unpackhi_epi16(high, zero);
}

/** Clips four vectors of 16 integers to 0..255 and packs them to 64 bytes: the inverse of unpack().
 */
inline __m512i pack(const __m512i (&ints)[4]) {
  return _mm512_packus_epi16(_mm512_packs_epi32(ints[0], ints[1]),
                             _mm512_packs_epi32(ints[2], ints[3]));
}

/** Interleaves byte i of four vectors in one 32-bit lane, in the order of unpack(). */
inline void interleave(__m512i a, __m512i b, __m512i c, __m512i d, __m512i (&out)[4]) {
  const __m512i ab_low = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b);
  const __m512i cd_low = _mm512_unpacklo_epi8(c, d), cd_high = _mm512_unpackhi_epi8(c, d);
  out[0] = _mm512_unpacklo_epi16(ab_low, cd_low);
  out[1] = _mm512_unpackhi_epi16(ab_low, cd_low);
  out[2] = _mm512_unpacklo_epi16(ab_high, cd_high);
  out[3] = _mm512_unpackhi_epi16(ab_high, cd_high);
}

/** Permutation tables that split 192 bytes RGBRGB... into 64 bytes per color, and join them again.
 */
struct alignas(64) RgbOrder {
  // To split color c: the first table selects from vectors 0 and 1, the second adds the bytes of
  // vector 2.
  std::uint8_t part_low[3][64] = {};
  std::uint8_t part_high[3][64] = {};
  // To join vector v: the first table places red and green, the second adds blue.
  std::uint8_t join_low[3][64] = {};
  std::uint8_t join_high[3][64] = {};

  constexpr RgbOrder() {
    for (int c = 0; c < 3; ++c)
      for (int i = 0; i < 64; ++i) {
        const int byte = 3 * i + c;
        part_low[c][i] = static_cast<std::uint8_t>(byte < 128 ? byte : 0);
        part_high[c][i] = static_cast<std::uint8_t>(byte < 128 ? i : 64 + byte - 128);
      }
    for (int v = 0; v < 3; ++v)
      for (int i = 0; i < 64; ++i) {
        const int byte = 64 * v + i, pixel = byte / 3, c = byte % 3;
        join_low[v][i] = static_cast<std::uint8_t>(c < 2 ? 64 * c + pixel : 0);
        join_high[v][i] = static_cast<std::uint8_t>(c < 2 ? i : 64 + pixel);
      }
  }
};
inline constexpr RgbOrder kRgbOrder;

inline __m512i load64(const void* from) {
  return _mm512_loadu_si512(from);
}

/** Loads 64 interleaved RGB pixels, one vector per color; only the first `bytes` of 192 are read,
 * the rest is zero. */
inline void load_rgb(const std::uint8_t* from, std::ptrdiff_t bytes, __m512i (&rgb)[3]) {
  const __m512i a = _mm512_maskz_loadu_epi8(first_bytes(bytes), from);
  const __m512i b = _mm512_maskz_loadu_epi8(first_bytes(bytes - 64), from + 64);
  const __m512i c = _mm512_maskz_loadu_epi8(first_bytes(bytes - 128), from + 128);
  for (int color = 0; color < 3; ++color) {
    const __m512i ab = _mm512_permutex2var_epi8(a, load64(kRgbOrder.part_low[color]), b);
    rgb[color] = _mm512_permutex2var_epi8(ab, load64(kRgbOrder.part_high[color]), c);
  }
}

/** The inverse of load_rgb(): writes only the first `bytes` of 192. */
inline void store_rgb(const __m512i (&rgb)[3], std::ptrdiff_t bytes, std::uint8_t* to) {
  for (int v = 0; v < 3; ++v) {
    const __m512i rg = _mm512_permutex2var_epi8(rgb[0], load64(kRgbOrder.join_low[v]), rgb[1]);
    const __m512i all = _mm512_permutex2var_epi8(rg, load64(kRgbOrder.join_high[v]), rgb[2]);
    _mm512_mask_storeu_epi8(to + 64 * v, first_bytes(bytes - 64 * v), all);
  }
}

}  // namespace dino::image::avx512
