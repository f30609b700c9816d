#include "dino/image/pixels/reduce.h"

#include <algorithm>
#include <vector>

#include "dino/base/error.h"

namespace dino::image {

Image reduce(const Image& source, int factor_x, int factor_y) {
  if (source.empty()) fail(ErrorKind::Usage, "[reduce] the image is empty");
  if (factor_x < 1 || factor_y < 1)
    fail(ErrorKind::Usage, "[reduce] factors must be at least 1: {} x {}", factor_x, factor_y);
  const int channels = source.channels;
  Image out((source.width + factor_x - 1) / factor_x, (source.height + factor_y - 1) / factor_y,
            channels);
  std::vector<std::uint32_t> sums(out.row_bytes());
  for (int y = 0; y < out.height; ++y) {
    const int rows = std::min(factor_y, source.height - y * factor_y);
    std::fill(sums.begin(), sums.end(), 0U);
    for (int r = 0; r < rows; ++r) {
      const std::uint8_t* in = source.row(y * factor_y + r);
      for (int x = 0; x < source.width; ++x)
        for (int c = 0; c < channels; ++c)
          sums[static_cast<std::size_t>(x / factor_x * channels + c)] += *in++;
    }
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < out.width; ++x) {
      const auto count =
          static_cast<std::uint32_t>(rows * std::min(factor_x, source.width - x * factor_x));
      // Pillow divides by multiplying with 2^24 / count, rounded down.
      const std::uint32_t multiplier = (1U << 24) / count;
      for (int c = 0; c < channels; ++c) {
        const std::uint32_t sum = sums[static_cast<std::size_t>(x * channels + c)] + count / 2;
        *to++ = static_cast<std::uint8_t>((sum * multiplier) >> 24);
      }
    }
  }
  return out;
}

Image resize_reduced(const Image& source, int width, int height, Filter filter) {
  constexpr double kGap = 2;  // what is left for the filter to shrink
  const auto factor = [](int from, int to) {
    return to < 1 ? 1 : std::max(1, static_cast<int>(static_cast<double>(from) / to / kGap));
  };
  const int factor_x = factor(source.width, width), factor_y = factor(source.height, height);
  if (filter == Filter::Nearest || (factor_x == 1 && factor_y == 1))
    return resize(source, width, height, filter);
  const Box all{0, 0, static_cast<float>(static_cast<double>(source.width) / factor_x),
                static_cast<float>(static_cast<double>(source.height) / factor_y)};
  return resize_crop(reduce(source, factor_x, factor_y), all, width, height, filter);
}

}  // namespace dino::image
