// Resampling with VNNI: 22-bit weights in three signed digits of eight bits, four taps a product.
// Across, a permutation of bytes brings each output sample its four taps; down, four rows are
// interleaved.
#include "dino/image/pixels/avx512/kernels.h"
#include "dino/image/pixels/avx512/vectors.h"

namespace dino::image::avx512 {
namespace {

constexpr int kDigits = 3;
constexpr int kRows = 8;    // scaled across with the same weights in registers
constexpr int kLanes = 16;  // sums in a register

/** Weights in the layout of the products: word [digit][step][position] holds that digit of taps 4 *
 * step ... + 3. */
struct Digits {
  int steps = 0;
  std::size_t positions = 0;  // with room for a vector behind the last
  std::uint32_t* words = nullptr;

  const std::uint32_t* at(int digit, int step) const {
    return words + (static_cast<std::size_t>(digit * steps + step)) * positions;
  }
};

Digits split(const FixedTaps& taps, int positions, Room& room) {
  const int* const counts = taps.count.data();
  int most = 1;
  for (int i = 0; i < positions; ++i) most = counts[i] > most ? counts[i] : most;
  Digits digits;
  digits.steps = (most + 3) / 4;
  digits.positions = static_cast<std::size_t>(positions + kLanes);
  const std::size_t words = kDigits * static_cast<std::size_t>(digits.steps) * digits.positions;
  digits.words = room.get<std::uint32_t>(words);
  for (std::size_t i = 0; i < words; ++i) digits.words[i] = 0;
  // w + 0x808080 has the digits plus 128 for bytes.
  const __m128i bias = _mm_set1_epi32(0x808080);
  const __m128i by_digit = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (int i = 0; i < positions; ++i) {
    const std::int32_t* weights =
        taps.weights.data() + static_cast<std::ptrdiff_t>(i) * taps.stride;
    for (int step = 0; 4 * step < counts[i]; ++step) {
      const int left = counts[i] - 4 * step;
      const auto mask = static_cast<__mmask8>(left >= 4 ? 15 : (1 << left) - 1);
      const __m128i w = _mm_maskz_loadu_epi32(mask, weights + 4 * step);
      const __m128i biased = _mm_xor_si128(_mm_add_epi32(w, bias), bias);
      alignas(16) std::uint32_t words_of[4];
      _mm_store_si128(reinterpret_cast<__m128i*>(words_of), _mm_shuffle_epi8(biased, by_digit));
      for (int digit = 0; digit < kDigits; ++digit)
        digits.words[static_cast<std::size_t>(digit * digits.steps + step) * digits.positions +
                     static_cast<std::size_t>(i)] = words_of[digit];
    }
  }
  return digits;
}

/** The sums of 16 samples: digit by digit from the highest, so that one register holds them. */
template <int kSteps>
__m512i add_up(const __m512i (&taps)[kSteps], const __m512i (&weights)[kDigits][kSteps]) {
  __m512i sum = _mm512_set1_epi32(1 << (kWeightBits - 1 - 16));  // one half, two digits from now
#pragma GCC unroll 3
  for (int digit = kDigits - 1; digit >= 0; --digit) {
#pragma GCC unroll 4
    for (int step = 0; step < kSteps; ++step)
      sum = _mm512_dpbusd_epi32(sum, taps[step], weights[digit][step]);
    if (digit > 0) sum = _mm512_slli_epi32(sum, 8);
  }
  return _mm512_srai_epi32(sum, kWeightBits);
}

__m512i join_digits(const __m512i (&sums)[kDigits]) {
  return _mm512_add_epi32(
      sums[0], _mm512_add_epi32(_mm512_slli_epi32(sums[1], 8), _mm512_slli_epi32(sums[2], 16)));
}

/** The same with a number of steps known at run time, from taps(step) and weight(digit, step). */
template <typename TapsAt, typename WeightAt>
__m512i add_up(int steps, const TapsAt& taps, const WeightAt& weight) {
  __m512i sums[kDigits] = {_mm512_set1_epi32(1 << (kWeightBits - 1))};
  sums[1] = sums[2] = _mm512_setzero_si512();
  for (int step = 0; step < steps; ++step) {
    const __m512i four = taps(step);
#pragma GCC unroll 3
    for (int digit = 0; digit < kDigits; ++digit)
      sums[digit] = _mm512_dpbusd_epi32(sums[digit], four, weight(digit, step));
  }
  return _mm512_srai_epi32(join_digits(sums), kWeightBits);
}

/** 64 bytes, or what the mask leaves of them, of four rows, interleaved. */
inline void load_taps(const std::uint8_t* const* rows, std::ptrdiff_t at, __mmask64 mask,
                      __m512i (&taps)[4]) {
  interleave(_mm512_maskz_loadu_epi8(mask, rows[0] + at),
             _mm512_maskz_loadu_epi8(mask, rows[1] + at),
             _mm512_maskz_loadu_epi8(mask, rows[2] + at),
             _mm512_maskz_loadu_epi8(mask, rows[3] + at), taps);
}

/** One output row of `bytes` samples from 4 * steps rows; those past the last tap may be any.
 * kSteps: the steps, or 0 for any number. */
template <int kSteps>
void weigh_rows(const Digits& digits, int y, const std::uint8_t* const* rows, std::ptrdiff_t bytes,
                std::uint8_t* out) {
  const auto weight = [&](int digit, int step) {
    return _mm512_set1_epi32(static_cast<int>(digits.at(digit, step)[y]));
  };
  if constexpr (kSteps > 0) {
    __m512i weights[kDigits][kSteps];
    for (int digit = 0; digit < kDigits; ++digit)
      for (int step = 0; step < kSteps; ++step) weights[digit][step] = weight(digit, step);
    for (std::ptrdiff_t at = 0; at < bytes; at += 64) {
      const __mmask64 mask = first_bytes(bytes - at);
      __m512i taps[4][kSteps];
#pragma GCC unroll 4
      for (int step = 0; step < kSteps; ++step) {
        __m512i four[4];
        load_taps(rows + 4 * step, at, mask, four);
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) taps[q][step] = four[q];
      }
      __m512i values[4];
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) values[q] = add_up<kSteps>(taps[q], weights);
      _mm512_mask_storeu_epi8(out + at, mask, pack(values));
    }
  } else {
    for (std::ptrdiff_t at = 0; at < bytes; at += 64) {
      const __mmask64 mask = first_bytes(bytes - at);
      __m512i sums[4][kDigits] = {};
      for (int step = 0; step < digits.steps; ++step) {
        __m512i taps[4];
        load_taps(rows + 4 * step, at, mask, taps);
#pragma GCC unroll 3
        for (int digit = 0; digit < kDigits; ++digit) {
          const __m512i w = weight(digit, step);
#pragma GCC unroll 4
          for (int q = 0; q < 4; ++q)
            sums[q][digit] = _mm512_dpbusd_epi32(sums[q][digit], taps[q], w);
        }
      }
      __m512i values[4];
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) {
        const __m512i half = _mm512_set1_epi32(1 << (kWeightBits - 1));
        values[q] = _mm512_srai_epi32(_mm512_add_epi32(join_digits(sums[q]), half), kWeightBits);
      }
      _mm512_mask_storeu_epi8(out + at, mask, pack(values));
    }
  }
}

/** The horizontal pass: 16 output samples, which may lie in six pixels, at a time. */
struct AcrossPlan {
  Digits digits;
  int channels = 0;
  int groups = 0;
  std::ptrdiff_t in_bytes = 0;    // of a source row
  std::ptrdiff_t out_bytes = 0;   // of a scaled row
  int widest = 0;                 // bytes of the source that one product reads
  std::int32_t* begin = nullptr;  // [groups] byte of the source row where a group's reading starts
  std::uint8_t* order = nullptr;  // [groups, 64] taps of each sample, from there

  // Where groups would read more than 128 bytes at once (shrinking about eight times and more):
  // pixel by pixel instead, the taps of each channel in lanes of their own.
  const std::int32_t* first = nullptr;  // [width] first tap of each output pixel
  int width = 0;
  int pixel_steps = 0;                // products of a pixel; 0 = by groups
  std::uint32_t* by_pixel = nullptr;  // [width, pixel_steps, kDigits, 16]
};

/** Pixel and channel of each sample of a group that starts `phase` samples into a pixel. */
struct alignas(64) LaneOrder {
  std::int32_t pixel[3][kLanes] = {};
  std::int32_t channel[3][kLanes] = {};
  constexpr explicit LaneOrder(int channels) {
    for (int phase = 0; phase < 3; ++phase)
      for (int j = 0; j < kLanes; ++j) {
        pixel[phase][j] = (phase + j) / channels;
        channel[phase][j] = (phase + j) % channels;
      }
  }
};
constexpr LaneOrder kGrayLanes(1), kRgbLanes(3);

inline const LaneOrder& lanes_of(int channels) {
  return channels == 3 ? kRgbLanes : kGrayLanes;
}

AcrossPlan plan_across(const FixedTaps& taps, const ImageView& source, int width, Room& words,
                       Room& orders) {
  AcrossPlan plan;
  plan.digits = split(taps, width, words);
  plan.channels = source.channels;
  plan.in_bytes = static_cast<std::ptrdiff_t>(source.width) * source.channels;
  plan.out_bytes = static_cast<std::ptrdiff_t>(width) * source.channels;
  plan.groups = static_cast<int>((plan.out_bytes + kLanes - 1) / kLanes);
  const auto groups = static_cast<std::size_t>(plan.groups);
  plan.order = orders.get<std::uint8_t>(groups * (64 + sizeof(std::int32_t)));
  plan.begin = reinterpret_cast<std::int32_t*>(plan.order + groups * 64);
  const std::int32_t* const first = taps.first.data();
  const __m512i tap_offsets =
      source.channels == 3 ? _mm512_set1_epi32(0x09060300) : _mm512_set1_epi32(0x03020100);
  const __m512i spread = _mm512_set1_epi32(0x01010101);
  const LaneOrder& lanes = lanes_of(source.channels);
  for (int g = 0; g < plan.groups; ++g) {
    const int pixel = source.channels == 3 ? kLanes * g / 3 : kLanes * g;
    const int phase = kLanes * g - source.channels * pixel;
    alignas(64) std::int32_t firsts[kLanes];
    for (int j = 0; j < kLanes; ++j) firsts[j] = first[pixel + j < width ? pixel + j : width - 1];
    __m512i start = _mm512_permutexvar_epi32(load64(lanes.pixel[phase]), _mm512_load_si512(firsts));
    start = _mm512_sub_epi32(start, _mm512_set1_epi32(firsts[0]));
    start = _mm512_mullo_epi32(start, _mm512_set1_epi32(source.channels));
    start = _mm512_add_epi32(start, load64(lanes.channel[phase]));
    const int reads = _mm512_reduce_max_epi32(start) + 3 * source.channels + 1;
    plan.widest = reads > plan.widest ? reads : plan.widest;
    plan.begin[g] = firsts[0] * source.channels;
    _mm512_storeu_si512(plan.order + 64 * g,
                        _mm512_add_epi8(_mm512_mullo_epi32(start, spread), tap_offsets));
  }
  return plan;
}

/** Turns the plan into one by pixels. A product takes 16 taps of three channels, or 64 of one. */
void plan_by_pixel(AcrossPlan& plan, const FixedTaps& taps, int width, Room& words) {
  const int groups = plan.channels == 3 ? 4 : kLanes;  // of four taps, in a product
  plan.first = taps.first.data();
  plan.width = width;
  plan.pixel_steps = (plan.digits.steps + groups - 1) / groups;
  plan.by_pixel =
      words.get<std::uint32_t>(static_cast<std::size_t>(width) *
                               static_cast<std::size_t>(plan.pixel_steps) * kDigits * kLanes);
  std::uint32_t* to = plan.by_pixel;
  for (int x = 0; x < width; ++x)
    for (int step = 0; step < plan.pixel_steps; ++step)
      for (int digit = 0; digit < kDigits; ++digit)
        for (int lane = 0; lane < kLanes; ++lane) {
          const int group = groups * step + lane % groups;
          const bool used = lane < groups * plan.channels && group < plan.digits.steps;
          *to++ = used ? plan.digits.at(digit, group)[x] : 0;
        }
}

/** Sums each channel's lanes into its first. */
template <int kChannels>
__m512i sum_lanes(__m512i v) {
  v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, _MM_PERM_BADC));
  v = _mm512_add_epi32(v, _mm512_shuffle_epi32(v, _MM_PERM_CDAB));
  if constexpr (kChannels == 3) return _mm512_maskz_compress_epi32(0x0111, v);
  v = _mm512_add_epi32(v, _mm512_shuffle_i64x2(v, v, 0x4e));
  return _mm512_add_epi32(v, _mm512_shuffle_i64x2(v, v, 0xb1));
}

/** Scales kRows rows across, pixel by pixel. */
template <int kChannels>
void scale_pixels(const AcrossPlan& plan, const std::uint8_t* const* rows,
                  std::uint8_t* const* out) {
  constexpr int kStepBytes = kChannels == 3 ? 48 : 64;
  constexpr int kTogether = 4;         // rows that share a weight's load
  alignas(64) std::uint8_t order[64];  // bytes to channels, as the lanes of a pixel's weights
  for (int i = 0; i < 64; ++i)
    order[i] = static_cast<std::uint8_t>(kChannels == 3 && i < 48 ? i % 16 * 3 + i / 16 : i);
  const __m512i by_channel = _mm512_load_si512(order);
  const __m512i half = _mm512_set1_epi32(1 << (kWeightBits - 1));
  const std::uint32_t* weights = plan.by_pixel;
  for (int x = 0; x < plan.width; ++x) {
    const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(plan.first[x]) * kChannels;
    for (int block = 0; block < kRows; block += kTogether) {
      __m512i sums[kTogether][kDigits] = {};
      for (int step = 0; step < plan.pixel_steps; ++step) {
        const std::ptrdiff_t at = begin + step * kStepBytes;
        const __mmask64 mask = first_bytes(plan.in_bytes - at);
        __m512i taps[kTogether];
#pragma GCC unroll 4
        for (int r = 0; r < kTogether; ++r)
          taps[r] = _mm512_permutexvar_epi8(by_channel,
                                            _mm512_maskz_loadu_epi8(mask, rows[block + r] + at));
#pragma GCC unroll 3
        for (int digit = 0; digit < kDigits; ++digit) {
          const __m512i weight = load64(weights + (step * kDigits + digit) * kLanes);
#pragma GCC unroll 4
          for (int r = 0; r < kTogether; ++r)
            sums[r][digit] = _mm512_dpbusd_epi32(sums[r][digit], taps[r], weight);
        }
      }
#pragma GCC unroll 4
      for (int r = 0; r < kTogether; ++r) {
        const __m512i sum = _mm512_add_epi32(sum_lanes<kChannels>(join_digits(sums[r])), half);
        const __m512i value =
            _mm512_max_epi32(_mm512_srai_epi32(sum, kWeightBits), _mm512_setzero_si512());
        _mm_mask_storeu_epi8(out[block + r] + x * kChannels, (1 << kChannels) - 1,
                             _mm512_cvtusepi32_epi8(value));
      }
    }
    weights += plan.pixel_steps * kDigits * kLanes;
  }
}

/** Scales kRows rows across. kSteps: the steps, or 0 for any number. kWide: a product reads up to
 * 128 bytes of the source, not 64. */
template <int kSteps, bool kWide>
void scale_rows(const AcrossPlan& plan, const std::uint8_t* const* rows, std::uint8_t* const* out) {
  const int channels = plan.channels;
  const LaneOrder& lanes = lanes_of(channels);
  for (int g = 0; g < plan.groups; ++g) {
    const int pixel = channels == 3 ? kLanes * g / 3 : kLanes * g;
    const int phase = kLanes * g - channels * pixel;
    const __m512i pattern = load64(lanes.pixel[phase]);
    const __m512i order = load64(plan.order + 64 * g);
    const std::ptrdiff_t begin = plan.begin[g];
    const auto weight = [&](int digit, int step) {
      return _mm512_permutexvar_epi32(pattern, load64(plan.digits.at(digit, step) + pixel));
    };
    // The masks keep reads inside the row; taps behind its end weigh nothing.
    const auto taps_at = [&](const std::uint8_t* row, int step) {
      const std::ptrdiff_t at = begin + 4 * step * channels;
      const __m512i taps = _mm512_maskz_loadu_epi8(first_bytes(plan.in_bytes - at), row + at);
      if constexpr (!kWide) return _mm512_permutexvar_epi8(order, taps);
      const __m512i more =
          _mm512_maskz_loadu_epi8(first_bytes(plan.in_bytes - at - 64), row + at + 64);
      return _mm512_permutex2var_epi8(taps, order, more);
    };
    const std::ptrdiff_t to = static_cast<std::ptrdiff_t>(kLanes) * g;
    const std::ptrdiff_t left = plan.out_bytes - to;
    const auto mask = static_cast<__mmask16>(left >= kLanes ? 0xffff : (1 << left) - 1);
    const auto store = [&](int r, __m512i value) {
      _mm_mask_storeu_epi8(out[r] + to, mask,
                           _mm512_cvtusepi32_epi8(_mm512_max_epi32(value, _mm512_setzero_si512())));
    };
    if constexpr (kSteps > 0) {
      __m512i weights[kDigits][kSteps];
#pragma GCC unroll 3
      for (int digit = 0; digit < kDigits; ++digit)
#pragma GCC unroll 4
        for (int step = 0; step < kSteps; ++step) weights[digit][step] = weight(digit, step);
      for (int r = 0; r < kRows; ++r) {
        __m512i taps[kSteps];
#pragma GCC unroll 4
        for (int step = 0; step < kSteps; ++step) taps[step] = taps_at(rows[r], step);
        store(r, add_up<kSteps>(taps, weights));
      }
    } else {
      for (int r = 0; r < kRows; ++r)
        store(r, add_up(
                     plan.digits.steps, [&](int step) { return taps_at(rows[r], step); }, weight));
    }
  }
}

using ScaleRows = void (*)(const AcrossPlan&, const std::uint8_t* const*, std::uint8_t* const*);
using WeighRows = void (*)(const Digits&, int, const std::uint8_t* const*, std::ptrdiff_t,
                           std::uint8_t*);

template <bool kWide>
ScaleRows scale_rows_for(int steps) {
  constexpr ScaleRows kBySteps[] = {scale_rows<0, kWide>, scale_rows<1, kWide>,
                                    scale_rows<2, kWide>, scale_rows<3, kWide>,
                                    scale_rows<4, kWide>};
  return kBySteps[steps <= 4 ? steps : 0];
}

WeighRows weigh_rows_for(int steps) {
  constexpr WeighRows kBySteps[] = {weigh_rows<0>, weigh_rows<1>, weigh_rows<2>, weigh_rows<3>};
  return kBySteps[steps <= 3 ? steps : 0];
}

/** Scales rows [begin, min(begin + kRows, end)) across. */
template <typename RowAt, typename OutAt>
void scale_block(const AcrossPlan& plan, int begin, int end, const RowAt& row_at,
                 const OutAt& out_at) {
  const std::uint8_t* rows[kRows];
  std::uint8_t* out[kRows];
  for (int r = 0; r < kRows; ++r) {
    const int y = begin + r < end ? begin + r : end - 1;  // the last row stands in
    rows[r] = row_at(y);
    out[r] = out_at(y);
  }
  if (plan.pixel_steps > 0)
    return (plan.channels == 3 ? scale_pixels<3> : scale_pixels<1>)(plan, rows, out);
  const int steps = plan.digits.steps;
  (plan.widest <= 64 ? scale_rows_for<false>(steps) : scale_rows_for<true>(steps))(plan, rows, out);
}

/** Scales one row down. */
template <typename RowAt>
void weigh(const FixedTaps& down, const Digits& digits, int y, const RowAt& row_at,
           const std::uint8_t** rows, std::ptrdiff_t bytes, std::uint8_t* out) {
  const int first = down.first.data()[y], count = down.count.data()[y];
  for (int k = 0; k < 4 * digits.steps; ++k) rows[k] = row_at(first + (k < count ? k : count - 1));
  weigh_rows_for(digits.steps)(digits, y, rows, bytes, out);
}

}  // namespace

void scale(const Scaling& scaling, Workspace& workspace) {
  const ImageView source = scaling.source;
  const int width = scaling.out->width, height = scaling.out->height;
  std::uint8_t* const pixels = scaling.out->pixels.data();
  const std::ptrdiff_t in_bytes = static_cast<std::ptrdiff_t>(source.width) * source.channels;
  const std::ptrdiff_t out_bytes = static_cast<std::ptrdiff_t>(width) * source.channels;
  const auto source_row = [&](int y) {
    return source.pixels + static_cast<std::size_t>(y) * source.stride;
  };
  const auto out_row = [&](int y) { return pixels + y * out_bytes; };

  AcrossPlan plan;
  if (scaling.across != nullptr) {
    plan = plan_across(*scaling.across, source, width, workspace.first, workspace.second);
    if (plan.widest > 128) plan_by_pixel(plan, *scaling.across, width, workspace.second);
  }
  if (scaling.down == nullptr) {
    for (int y = 0; y < height; y += kRows) scale_block(plan, y, height, source_row, out_row);
    return;
  }

  const FixedTaps& down = *scaling.down;
  const Digits digits = split(down, height, workspace.third);
  const int most = 4 * digits.steps;
  const auto list_bytes = static_cast<std::ptrdiff_t>(sizeof(void*)) * most;
  const std::ptrdiff_t list_room = (list_bytes + 63) / 64 * 64;
  const std::ptrdiff_t row_room = ((scaling.down_first ? in_bytes : out_bytes) + 63) / 64 * 64;
  // Scaled rows wait in a ring just large enough for one output row, so that they stay in the
  // cache.
  const int ring_rows = (most + 2 * kRows - 1) / kRows * kRows;
  auto* const room = workspace.fourth.get<std::uint8_t>(
      static_cast<std::size_t>(list_room + ring_rows * row_room));
  auto* const list = reinterpret_cast<const std::uint8_t**>(room);
  std::uint8_t* const ring = room + list_room;

  if (scaling.across == nullptr) {
    for (int y = 0; y < height; ++y)
      weigh(down, digits, y, source_row, list, out_bytes, out_row(y));
  } else if (scaling.down_first) {
    const auto block_row = [&](int r) { return ring + r * row_room; };
    for (int begin = 0; begin < height; begin += kRows) {
      const int rows = height - begin < kRows ? height - begin : kRows;
      for (int r = 0; r < rows; ++r)
        weigh(down, digits, begin + r, source_row, list, in_bytes, block_row(r));
      scale_block(plan, 0, rows, block_row, [&](int r) { return out_row(begin + r); });
    }
  } else {
    const int begin = down.first.data()[0];
    const int end = down.first.data()[height - 1] + down.count.data()[height - 1];
    const auto slot = [&](int y) { return ring + (y - begin) % ring_rows * row_room; };
    int ready = begin;  // rows before this one have been scaled across
    for (int y = 0; y < height; ++y) {
      for (; ready < down.first.data()[y] + down.count.data()[y]; ready += kRows)
        scale_block(plan, ready, end, source_row, slot);
      weigh(down, digits, y, slot, list, out_bytes, out_row(y));
    }
  }
}

}  // namespace dino::image::avx512
