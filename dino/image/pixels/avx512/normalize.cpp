// Pixels as a network takes them, 64 at a time with the colors apart.
#include "dino/image/pixels/avx512/kernels.h"
#include "dino/image/pixels/avx512/vectors.h"

namespace dino::image::avx512 {
namespace {

struct alignas(64) Reversed {
  std::uint8_t order[64] = {};
  constexpr Reversed() {
    for (int i = 0; i < 64; ++i) order[i] = static_cast<std::uint8_t>(63 - i);
  }
};
constexpr Reversed kReversed;

/** Calls store(channel, where in the plane, bytes, how many) for up to 64 pixels of one channel at
 * a time; a mirrored row runs backwards. */
template <int kChannels, typename Store>
void for_each_plane(const Normalization& work, const Store& store) {
  const Image& source = *work.source;
  const std::ptrdiff_t width = source.width;
  const std::uint8_t* row = source.pixels.data();
  const __m512i reversed = load64(kReversed.order);
  for (std::ptrdiff_t y = 0; y < source.height; ++y, row += width * kChannels)
    for (std::ptrdiff_t x = 0; x < width; x += 64) {
      const std::ptrdiff_t count = width - x < 64 ? width - x : 64;
      __m512i planes[3];
      if constexpr (kChannels == 3)
        load_rgb(row + 3 * x, 3 * count, planes);
      else
        planes[0] = _mm512_maskz_loadu_epi8(first_bytes(count), row + x);
      std::ptrdiff_t at = y * width + x;
      if (work.mirrored) {
        at = y * width + width - x - count;
        // A reversed partial vector begins with 64 - count unused bytes, so the permutation starts
        // after them.
        const __m512i order =
            _mm512_sub_epi8(reversed, _mm512_set1_epi8(static_cast<char>(64 - count)));
#pragma GCC unroll 3
        for (int c = 0; c < kChannels; ++c) planes[c] = _mm512_permutexvar_epi8(order, planes[c]);
      }
#pragma GCC unroll 3
      for (int c = 0; c < kChannels; ++c) store(c, at, planes[c], count);
    }
}

template <typename Store>
void for_each_plane(const Normalization& work, const Store& store) {
  if (work.source->channels == 3)
    for_each_plane<3>(work, store);
  else
    for_each_plane<1>(work, store);
}

inline __mmask16 first_lanes(std::ptrdiff_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
}

/** Quarter q of 64 bytes as floats, normalized. */
template <int kQuarter>
__m512 quarter(__m512i bytes, __m512 scale, __m512 offset) {
  const __m128i part = _mm512_extracti32x4_epi32(bytes, kQuarter);
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(part)), scale, offset);
}

/** Calls put(where in [C, H, W], 16 floats, mask). */
template <typename Put>
void for_each_float(const Normalization& work, const Put& put) {
  const auto plane = static_cast<std::ptrdiff_t>(work.source->width) * work.source->height;
  for_each_plane(work, [&](int c, std::ptrdiff_t at, __m512i bytes, std::ptrdiff_t count) {
    const __m512 scale = _mm512_set1_ps(work.scale[c]), offset = _mm512_set1_ps(work.offset[c]);
    const std::ptrdiff_t to = c * plane + at;
    put(to, quarter<0>(bytes, scale, offset), first_lanes(count));
    if (count > 16) put(to + 16, quarter<1>(bytes, scale, offset), first_lanes(count - 16));
    if (count > 32) put(to + 32, quarter<2>(bytes, scale, offset), first_lanes(count - 32));
    if (count > 48) put(to + 48, quarter<3>(bytes, scale, offset), first_lanes(count - 48));
  });
}

}  // namespace

void to_floats(const Normalization& work, float* out) {
  // Batches are not read soon, so whole cache lines are written with streaming stores.
  const bool lines =
      work.source->width % 16 == 0 && reinterpret_cast<std::uintptr_t>(out) % 64 == 0;
  if (!lines)
    return for_each_float(work, [&](std::ptrdiff_t at, __m512 values, __mmask16 mask) {
      _mm512_mask_storeu_ps(out + at, mask, values);
    });
  for_each_float(work, [&](std::ptrdiff_t at, __m512 values, __mmask16) {
    _mm512_stream_ps(out + at, values);
  });
  _mm_sfence();
}

void to_bfloats(const Normalization& work, std::uint16_t* out) {
  for_each_float(work, [&](std::ptrdiff_t at, __m512 values, __mmask16 mask) {
    const __m512i bits = _mm512_castps_si512(values);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    _mm256_mask_storeu_epi16(out + at, mask, _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
  });
}

void to_planes(const Normalization& work, std::uint8_t* out) {
  const auto plane = static_cast<std::ptrdiff_t>(work.source->width) * work.source->height;
  for_each_plane(work, [&](int c, std::ptrdiff_t at, __m512i bytes, std::ptrdiff_t count) {
    _mm512_mask_storeu_epi8(out + c * plane + at, first_bytes(count), bytes);
  });
}

const PixelKernels kKernels = {"avx512",  scale,      recolor,  box_blur,
                               to_floats, to_bfloats, to_planes};

}  // namespace dino::image::avx512
