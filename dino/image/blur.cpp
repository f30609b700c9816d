// Gaussian blur as three box blurs along x and three along y (extended box blur, Gwosdek et al.
// 2011).
#include "dino/image/blur.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dino/base/error.h"

namespace dino::image {
namespace {

constexpr int kPasses = 3;

/** A box of 2 * whole + 1 samples with weight `inner` each, and one sample more on either side with
 * weight `outer`. */
struct BoxFilter {
  int whole = 0;
  std::uint32_t inner = 0;  // 24-bit fixed point
  std::uint32_t outer = 0;
};

/** The box radius whose kPasses-fold blur has standard deviation `sigma`; single precision, as
 * Pillow computes it. */
float box_radius(float sigma) {
  const float variance = sigma * sigma / kPasses;
  const auto length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
  const auto whole = static_cast<float>(std::floor((length - 1.0) / 2.0));
  float fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  fraction /= 6 * (variance - (whole + 1) * (whole + 1));
  return whole + fraction;
}

BoxFilter make_box(float radius) {
  BoxFilter box;
  box.whole = static_cast<int>(radius);
  box.inner = static_cast<std::uint32_t>(static_cast<float>(1 << 24) / (radius * 2 + 1));
  box.outer = ((1u << 24) - (static_cast<std::uint32_t>(box.whole) * 2 + 1) * box.inner) / 2;
  return box;
}

/** Box-blurs `size` samples that lie `step` apart, from `in` to `out`. */
void blur_line(const std::uint8_t* in, std::uint8_t* out, int size, std::ptrdiff_t step,
               const BoxFilter& box) {
  const auto at = [&](int i) -> std::uint32_t { return in[std::clamp(i, 0, size - 1) * step]; };
  std::uint32_t sum = 0;
  for (int i = -box.whole - 1; i < box.whole; ++i) sum += at(i);
  for (int i = 0; i < size; ++i) {
    sum += at(i + box.whole) - at(i - box.whole - 1);
    const std::uint32_t value =
        sum * box.inner + (at(i - box.whole - 1) + at(i + box.whole + 1)) * box.outer;
    out[i * step] = static_cast<std::uint8_t>((value + (1u << 23)) >> 24);
  }
}

}  // namespace

void gaussian_blur(Image& image, double radius) {
  if (!(radius >= 0) || radius > 1e6)
    fail(ErrorKind::Usage, "[blur] radius must lie between 0 and 1e6 px: {}", radius);
  if (radius == 0 || image.empty()) return;
  const BoxFilter box = make_box(box_radius(static_cast<float>(radius)));
  Image other = image;
  const auto step_y = static_cast<std::ptrdiff_t>(image.row_bytes());
  for (int pass = 0; pass < kPasses; ++pass) {
    for (int y = 0; y < image.height; ++y)
      for (int c = 0; c < image.channels; ++c)
        blur_line(image.row(y) + c, other.row(y) + c, image.width, image.channels, box);
    std::swap(image, other);
  }
  for (int pass = 0; pass < kPasses; ++pass) {
    for (std::ptrdiff_t i = 0; i < step_y; ++i)
      blur_line(image.pixels.data() + i, other.pixels.data() + i, image.height, step_y, box);
    std::swap(image, other);
  }
}

}  // namespace dino::image
