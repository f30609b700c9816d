// Three box blurs along each axis with samples in 16 bits: the sum of the inner samples and that of
// the outer two meet in one product of pairs, their 24-bit weights in two parts of 12 bits.
#include "dino/image/pixels/avx512/kernels.h"
#include "dino/image/pixels/avx512/vectors.h"

namespace dino::image::avx512 {
namespace {

constexpr int kPasses = 3;
constexpr int kReach = 2;   // samples on either side that a box sees at most
constexpr int kLanes = 32;  // samples in a vector

/** A box of 3 (kInner = 1) or 5 (kInner = 3) samples; the outer two weigh less. */
template <int kInner>
struct Box {
  __m512i high;  // pairs of (inner, outer), the upper 12 bits
  __m512i low;

  explicit Box(const BoxFilter& filter)
      : high(pairs(filter.inner >> 12, filter.outer >> 12)),
        low(pairs(filter.inner & 4095, filter.outer & 4095)) {}

  static __m512i pairs(std::uint32_t inner, std::uint32_t outer) {
    return _mm512_set1_epi32(static_cast<int>(inner | outer << 16));
  }

  /** at(i) returns the 32 samples at distance i. */
  template <typename At>
  __m512i operator()(const At& at) const {
    constexpr int kSide = kInner / 2;
    __m512i inner = at(0);
    if constexpr (kSide == 1) inner = _mm512_add_epi16(inner, _mm512_add_epi16(at(-1), at(1)));
    const __m512i outer = _mm512_add_epi16(at(-kSide - 1), at(kSide + 1));
    return _mm512_packus_epi32(weigh(_mm512_unpacklo_epi16(inner, outer)),
                               weigh(_mm512_unpackhi_epi16(inner, outer)));
  }

 private:
  __m512i weigh(__m512i sums) const {
    const __m512i half = _mm512_set1_epi32(1 << 11);
    const __m512i upper = _mm512_slli_epi32(_mm512_dpwssd_epi32(half, sums, high), 12);
    return _mm512_srli_epi32(_mm512_dpwssd_epi32(upper, sums, low), 24);
  }
};

inline std::uint16_t* repeat_borders(std::uint16_t* line, std::ptrdiff_t samples, int channels) {
  const std::ptrdiff_t last = samples - channels;
  for (int i = 0; i < kReach * channels; ++i) {
    line[-1 - i] = line[(channels - 1) - i % channels];
    line[samples + i] = line[last + i % channels];
  }
  return line;
}

/** Along x, row by row. `lines` has two rows of `room` samples. */
template <int kInner>
void blur_x(Image& image, const Box<kInner>& box, std::uint16_t* lines, std::ptrdiff_t room) {
  const int channels = image.channels;
  const std::ptrdiff_t samples = static_cast<std::ptrdiff_t>(image.width) * channels;
  std::uint8_t* row = image.pixels.data();
  for (int y = 0; y < image.height; ++y, row += samples) {
    std::uint16_t* from = lines + kLanes;  // room for the border before it
    std::uint16_t* to = from + room;
    for (std::ptrdiff_t i = 0; i < samples; i += kLanes) {
      const auto mask = static_cast<__mmask32>(first_bytes(samples - i));
      _mm512_storeu_si512(from + i, _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(mask, row + i)));
    }
    for (int pass = 0; pass < kPasses; ++pass) {
      repeat_borders(from, samples, channels);
      for (std::ptrdiff_t i = 0; i < samples; i += kLanes) {
        const __m512i value = box([&](int away) { return load64(from + i + away * channels); });
        if (pass + 1 < kPasses)
          _mm512_storeu_si512(to + i, value);
        else
          _mm256_mask_storeu_epi8(row + i, static_cast<__mmask32>(first_bytes(samples - i)),
                                  _mm512_cvtepi16_epi8(value));
      }
      std::uint16_t* const swapped = from;
      from = to;
      to = swapped;
    }
  }
}

/** Along y, in stripes of 32 samples. `lines` has two columns of height + 2 * kReach vectors. */
template <int kInner>
void blur_y(Image& image, const Box<kInner>& box, std::uint16_t* lines) {
  const std::ptrdiff_t samples = static_cast<std::ptrdiff_t>(image.width) * image.channels;
  const int height = image.height;
  const auto row = [&](std::uint16_t* column, int y) { return column + (y + kReach) * kLanes; };
  for (std::ptrdiff_t x = 0; x < samples; x += kLanes) {
    const auto mask = static_cast<__mmask32>(first_bytes(samples - x));
    std::uint8_t* const stripe = image.pixels.data() + x;
    std::uint16_t* from = lines;
    std::uint16_t* to = lines + (height + 2 * kReach) * kLanes;
    for (int y = 0; y < height; ++y)
      _mm512_store_si512(row(from, y),
                         _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(mask, stripe + y * samples)));
    for (int pass = 0; pass < kPasses; ++pass) {
      for (int i = 1; i <= kReach; ++i) {
        _mm512_store_si512(row(from, -i), _mm512_load_si512(row(from, 0)));
        _mm512_store_si512(row(from, height - 1 + i), _mm512_load_si512(row(from, height - 1)));
      }
      for (int y = 0; y < height; ++y) {
        const __m512i value = box([&](int away) { return _mm512_load_si512(row(from, y + away)); });
        if (pass + 1 < kPasses)
          _mm512_store_si512(row(to, y), value);
        else
          _mm256_mask_storeu_epi8(stripe + y * samples, mask, _mm512_cvtepi16_epi8(value));
      }
      std::uint16_t* const swapped = from;
      from = to;
      to = swapped;
    }
  }
}

template <int kInner>
void blur(Image& image, const BoxFilter& filter, Workspace& workspace) {
  const Box<kInner> box(filter);
  const std::ptrdiff_t samples = static_cast<std::ptrdiff_t>(image.width) * image.channels;
  const std::ptrdiff_t line = (samples + 4 * kLanes) / kLanes * kLanes;
  const std::ptrdiff_t column = (image.height + 2 * kReach) * static_cast<std::ptrdiff_t>(kLanes);
  auto* const lines = workspace.first.get<std::uint16_t>(
      2 * static_cast<std::size_t>(line > column ? line : column));
  blur_x(image, box, lines, line);
  blur_y(image, box, lines);
}

}  // namespace

void box_blur(Image& image, const BoxFilter& filter, Workspace& workspace) {
  // A box that blurs nothing has a weight that exceeds two parts of 12 bits.
  if (filter.whole == 0 && filter.inner < 1U << 24)
    blur<1>(image, filter, workspace);
  else if (filter.whole == 1)
    blur<3>(image, filter, workspace);
  else
    portable::box_blur(image, filter, workspace);
}

}  // namespace dino::image::avx512
