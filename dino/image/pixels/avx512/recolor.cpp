// Color operations, 64 pixels at a time with the colors apart. Every pixel goes through all steps
// while it is in registers. Arithmetic differs from Pillow's only where that cannot be seen:
// tests/image/pixels/kernels_test.cpp compares every color with the portable kernels.
#include "dino/image/pixels/avx512/kernels.h"
#include "dino/image/pixels/avx512/vectors.h"

namespace dino::image::avx512 {
namespace {

constexpr int kDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;

/** One byte of 64 pixels; integers are in the order of unpack(). */
struct Pixels {
  __m512i rgb[3];
};

inline __m512i select(__mmask64 mask, __m512i where_set, __m512i otherwise) {
  return _mm512_mask_blend_epi8(mask, otherwise, where_set);
}

inline __m512i look_up(const std::uint8_t* table, __m512i bytes) {
  const __m512i low = _mm512_permutex2var_epi8(load64(table), bytes, load64(table + 64));
  const __m512i high = _mm512_permutex2var_epi8(load64(table + 128), bytes, load64(table + 192));
  return select(_mm512_movepi8_mask(bytes), high, low);
}

/** Rec. 601 luma: red * 19595 + green * 38470 + blue * 7471, green as two halves so that the
 * weights have two signed digits of eight bits. */
inline void lumas(const Pixels& p, __m512i (&out)[4]) {
  constexpr auto word = [](int red, int green, int blue) {
    return (red & 255) | (green & 255) << 8 | (blue & 255) << 16 |
           static_cast<int>(static_cast<unsigned>(green & 255) << 24);
  };
  const __m512i low = _mm512_set1_epi32(word(-117, 35, 47));
  const __m512i high = _mm512_set1_epi32(word(77, 75, 29));
  __m512i rgbg[4];
  interleave(p.rgb[0], p.rgb[1], p.rgb[2], p.rgb[1], rgbg);
  for (int q = 0; q < 4; ++q) {
    const __m512i upper = _mm512_dpbusd_epi32(_mm512_set1_epi32(0x80), rgbg[q], high);
    const __m512i sum = _mm512_dpbusd_epi32(_mm512_slli_epi32(upper, 8), rgbg[q], low);
    out[q] = _mm512_srli_epi32(sum, 16);
  }
}

inline void saturate(Pixels& p, float factor) {
  __m512i gray[4];
  lumas(p, gray);
  const __m512 by = _mm512_set1_ps(factor);
  for (auto& color : p.rgb) {
    __m512i values[4];
    unpack(color, values);
    for (int q = 0; q < 4; ++q) {
      const __m512 off = _mm512_cvtepi32_ps(_mm512_sub_epi32(values[q], gray[q]));
      const __m512 gray_floats = _mm512_cvtepi32_ps(gray[q]);
      values[q] = _mm512_cvttps_epi32(_mm512_add_ps(gray_floats, _mm512_mul_ps(off, by)));
    }
    color = pack(values);
  }
}

/** 1 / x to a unit in the last place. */
inline __m512 reciprocal(__m512 x) {
  const __m512 guess = _mm512_rcp14_ps(x);
  const __m512 error = _mm512_fnmadd_ps(x, guess, _mm512_set1_ps(1.0F));
  return _mm512_fmadd_ps(guess, error, guess);
}

/** a / b as a division would round it, given 1 / b. */
inline __m512 divide(__m512 a, __m512 b, __m512 reciprocal_of_b) {
  const __m512 quotient = _mm512_mul_ps(a, reciprocal_of_b);
  const __m512 rest = _mm512_fnmadd_ps(quotient, b, a);
  return _mm512_fmadd_ps(rest, reciprocal_of_b, quotient);
}

/** Which sixth of the color circle: start and direction of the hue in it, as fractions of a sixth.
 * The start of the sector of red above blue above green lies a trace higher, which spares an
 * exception: there Pillow's rounding never loses a hue that is whole. */
struct Sectors {
  __m512 start = _mm512_setr_ps(5.0000057F, 1, 3, 1, 5, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  __m512 sign = _mm512_setr_ps(1, -1, -1, 1, -1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
};

/** Turns the hue by shift / 255 through 8-bit HSV. */
inline void turn_hue(Pixels& p, const Sectors& sectors, std::uint8_t shift) {
  const __m512i red = p.rgb[0], green = p.rgb[1], blue = p.rgb[2];
  const __m512i most = _mm512_max_epu8(_mm512_max_epu8(red, green), blue);
  const __m512i least = _mm512_min_epu8(_mm512_min_epu8(red, green), blue);
  const __m512i middle =
      _mm512_sub_epi8(_mm512_add_epi8(_mm512_add_epi8(red, green), blue),
                      _mm512_add_epi8(most, least));  // modulo 256, and so is the result
  const __mmask64 red_most = _mm512_cmpeq_epi8_mask(red, most);
  const __mmask64 green_most = _mm512_cmpeq_epi8_mask(green, most) & ~red_most;
  const __mmask64 blue_least = _mm512_cmpeq_epi8_mask(blue, least);
  const __mmask64 red_least = _mm512_cmpeq_epi8_mask(red, least) & ~blue_least;
  // Sectors in the order of `Sectors`: red most and green least 0, red and blue 1, green and red 2,
  // green and blue 3, blue and green 4, blue and red 5.
  __m512i sector = select(red_most, _mm512_setzero_si512(), _mm512_set1_epi8(4));
  sector = _mm512_mask_mov_epi8(sector, red_least, _mm512_set1_epi8(5));
  sector = _mm512_mask_mov_epi8(sector, green_most & red_least, _mm512_set1_epi8(2));
  sector = _mm512_mask_mov_epi8(sector, blue_least, _mm512_set1_epi8(3));
  sector = _mm512_mask_mov_epi8(sector, red_most & blue_least, _mm512_set1_epi8(1));

  __m512i mosts[4], ranges[4], below[4], sector_of[4], hues[4], saturations[4];
  unpack(most, mosts);
  unpack(_mm512_max_epu8(_mm512_sub_epi8(most, least), _mm512_set1_epi8(1)), ranges);
  unpack(_mm512_sub_epi8(most, middle), below);
  unpack(sector, sector_of);
  const __m512 sixth = _mm512_set1_ps(1.0F / 6), six = _mm512_set1_ps(6),
               full = _mm512_set1_ps(255);
  const __mmask64 gray = _mm512_cmpeq_epi8_mask(most, least);
  for (int q = 0; q < 4; ++q) {
    const __m512 range = _mm512_cvtepi32_ps(ranges[q]);
    const __m512 part = divide(_mm512_cvtepi32_ps(below[q]), range, reciprocal(range));
    const __m512 sixths = _mm512_fmadd_ps(part, _mm512_permutexvar_ps(sector_of[q], sectors.sign),
                                          _mm512_permutexvar_ps(sector_of[q], sectors.start));
    const __m512 turns = divide(sixths, six, sixth);
    hues[q] = _mm512_cvttps_epi32(_mm512_mul_round_ps(turns, full, kDown));
    // range * 255 / most: whole, or at least 1 / 255 away from it.
    const __m512 value = _mm512_cvtepi32_ps(_mm512_max_epi32(mosts[q], _mm512_set1_epi32(1)));
    saturations[q] = _mm512_cvttps_epi32(
        _mm512_fmadd_ps(_mm512_mul_ps(range, full), reciprocal(value), _mm512_set1_ps(1e-3F)));
  }
  const __m512i hue = _mm512_add_epi8(pack(hues), _mm512_set1_epi8(static_cast<char>(shift)));
  const __m512i saturation = _mm512_mask_mov_epi8(pack(saturations), gray, _mm512_setzero_si512());

  // The new sector is 6 * hue / 255, whole; what remains of 6 * hue is, modulo 256, this sum.
  const __m512i one = _mm512_set1_epi8(1);
  __m512i turned = _mm512_setzero_si512();
  for (const int from : {43, 85, 128, 170, 213, 255})
    turned = _mm512_mask_add_epi8(
        turned, _mm512_cmpge_epu8_mask(hue, _mm512_set1_epi8(static_cast<char>(from))), turned,
        one);
  const __m512i twice = _mm512_add_epi8(hue, hue);
  __m512i rest = _mm512_add_epi8(_mm512_add_epi8(twice, _mm512_add_epi8(twice, twice)), turned);
  const __mmask64 odd = _mm512_test_epi8_mask(turned, one);
  rest = _mm512_mask_sub_epi8(rest, static_cast<__mmask64>(~odd), _mm512_set1_epi8(-1), rest);

  // Of the three values one is `most`, one most * (255 - s) / 255 and one
  // most * (65025 - s * rest) / 65025, both rounded; never a tie, 65025 being odd.
  __m512i rests[4], lows[4], middles[4];
  unpack(saturation, saturations);
  unpack(rest, rests);
  const __m512 units = _mm512_set1_ps(65025);
  const __m512 inverse = _mm512_set1_ps(1.0F / 65025);
  const __m512 inverse_rest =  // what single precision leaves of 1 / 65025, and a trace more
      _mm512_set1_ps(
          static_cast<float>(1.0 / 65025 - static_cast<double>(1.0F / 65025) + 2e-8 / 65025));
  for (int q = 0; q < 4; ++q) {
    const __m512 v = _mm512_cvtepi32_ps(mosts[q]), s = _mm512_cvtepi32_ps(saturations[q]);
    const __m512 share = _mm512_fnmadd_ps(s, _mm512_cvtepi32_ps(rests[q]), units);
    const __m512 product = _mm512_fmadd_ps(v, share, _mm512_set1_ps(32512));  // exact: below 2^24
    middles[q] = _mm512_cvttps_epi32(
        _mm512_fmadd_round_ps(product, inverse, _mm512_mul_ps(product, inverse_rest), kDown));
    const __m512 low = _mm512_fmadd_ps(v, _mm512_sub_ps(full, s), _mm512_set1_ps(127));
    lows[q] = _mm512_cvttps_epi32(
        _mm512_fmadd_ps(low, _mm512_set1_ps(1.0F / 255), _mm512_set1_ps(1e-3F)));
  }
  const __m512i low = pack(lows), mid = pack(middles);
  const auto is = [&](int which) {
    return _mm512_cmpeq_epi8_mask(turned, _mm512_set1_epi8(static_cast<char>(which)));
  };
  const __mmask64 in0 = is(0) | is(6), in1 = is(1), in2 = is(2), in3 = is(3), in4 = is(4),
                  in5 = is(5);  // hue 255 is a full turn
  p.rgb[0] = select(in0 | in5, most, select(in1 | in4, mid, low));
  p.rgb[1] = select(in1 | in2, most, select(in0 | in3, mid, low));
  p.rgb[2] = select(in3 | in4, most, select(in2 | in5, mid, low));
}

std::uint64_t sum_of(__m512i sums) {
  return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(sums));
}

/** Samples of a gray image, which only table steps change. */
std::uint64_t recolor_gray(std::uint8_t* samples, std::ptrdiff_t count, const ColorStep* steps,
                           std::size_t step_count) {
  __m512i sums = _mm512_setzero_si512();
  for (std::ptrdiff_t at = 0; at < count; at += 64) {
    const __mmask64 mask = first_bytes(count - at);
    __m512i bytes = _mm512_maskz_loadu_epi8(mask, samples + at);
    for (std::size_t i = 0; i < step_count; ++i) bytes = look_up(steps[i].table.data(), bytes);
    _mm512_mask_storeu_epi8(samples + at, mask, bytes);
    sums = _mm512_add_epi64(
        sums, _mm512_sad_epu8(_mm512_maskz_mov_epi8(mask, bytes), _mm512_setzero_si512()));
  }
  return sum_of(sums);
}

}  // namespace

std::uint64_t recolor(Image& image, std::span<const ColorStep> span, bool wants_luma) {
  const ColorStep* const steps = span.data();
  const std::size_t step_count = span.size();
  std::uint8_t* samples = image.pixels.data();
  auto left = static_cast<std::ptrdiff_t>(image.width) * image.height * image.channels;
  if (image.channels == 1) return recolor_gray(samples, left, steps, step_count);
  const Sectors sectors;
  __m512i sums = _mm512_setzero_si512();
  for (; left > 0; left -= 192, samples += 192) {
    Pixels p;
    load_rgb(samples, left, p.rgb);
    for (std::size_t i = 0; i < step_count; ++i) {
      const ColorStep& step = steps[i];
      if (step.kind == ColorStep::Kind::Table) {
        for (auto& color : p.rgb) color = look_up(step.table.data(), color);
      } else if (step.kind == ColorStep::Kind::Saturation) {
        saturate(p, step.factor);
      } else if (step.kind == ColorStep::Kind::Hue) {
        turn_hue(p, sectors, static_cast<std::uint8_t>(step.shift));
      } else {
        __m512i gray[4];
        lumas(p, gray);
        p.rgb[0] = p.rgb[1] = p.rgb[2] = pack(gray);
      }
    }
    if (step_count > 0) store_rgb(p.rgb, left, samples);
    if (!wants_luma) continue;
    __m512i gray[4];
    lumas(p, gray);
    const __m512i bytes = _mm512_maskz_mov_epi8(first_bytes(left / 3), pack(gray));
    sums = _mm512_add_epi64(sums, _mm512_sad_epu8(bytes, _mm512_setzero_si512()));
  }
  return sum_of(sums);
}

}  // namespace dino::image::avx512
