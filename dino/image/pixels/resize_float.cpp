// Down first, over rows of bytes as they lie in memory; then across, eight rows at once turned on
// their side, so that both passes add up long vectors.
#include "dino/image/pixels/resize_float.h"

#include <algorithm>
#include <array>
#include <span>

#include "dino/base/error.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/taps.h"

namespace dino::image {
namespace {

constexpr std::size_t kRows = 8;
constexpr float kUnit = 1.0F / 255;

using FloatTaps = Taps<float>;

FloatTaps taps_for(int in_size, int out_size, Filter filter) {
  return make_taps<float>(in_size, 0, static_cast<float>(in_size), out_size, filter,
                          [](double weight) { return static_cast<float>(weight); });
}

/** sums[i] = row y of the image scaled downwards, not yet across. */
void weigh_rows(const Image& source, const FloatTaps& down, int y, std::span<float> sums) {
  std::fill(sums.begin(), sums.end(), 0.0F);
  const float* weights = down.weights_of(y);
  for (int k = 0; k < down.count[static_cast<std::size_t>(y)]; ++k) {
    const std::uint8_t* in = source.row(down.first[static_cast<std::size_t>(y)] + k);
    const float weight = weights[k];
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += weight * static_cast<float>(in[i]);
  }
}

/** [kRows, count] -> [count, kRows] */
void turn(const std::vector<float>& rows, std::vector<float>& turned) {
  const std::size_t count = rows.size() / kRows;
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t r = 0; r < kRows; ++r) turned[i * kRows + r] = rows[r * count + i];
}

/** Rows [y, y + rows) of the result from `turned` [width * kChannels, kRows]. */
template <std::size_t kChannels>
void scale_across(const std::vector<float>& turned, const FloatTaps& across, int y,
                  std::size_t rows, Planes& out) {
  constexpr std::size_t kLanes = kChannels * kRows;
  const auto width = static_cast<std::size_t>(out.width);
  const std::size_t plane = width * static_cast<std::size_t>(out.height);
  for (std::size_t x = 0; x < width; ++x) {
    std::array<float, kLanes> sums{};
    const float* in = turned.data() + static_cast<std::size_t>(across.first[x]) * kLanes;
    const float* weights = across.weights_of(static_cast<int>(x));
    for (int k = 0; k < across.count[x]; ++k, in += kLanes)
      for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += weights[k] * in[lane];
    for (std::size_t c = 0; c < kChannels; ++c) {
      float* to = out.values.data() + c * plane + static_cast<std::size_t>(y) * width + x;
      for (std::size_t r = 0; r < rows; ++r) to[r * width] = sums[c * kRows + r] * kUnit;
    }
  }
}

}  // namespace

Planes resize_to_floats(const Image& source, int width, int height, Filter filter) {
  if (filter == Filter::Nearest || (width == source.width && height == source.height))
    return to_planes(resize(source, width, height, filter));
  if (source.empty()) fail(ErrorKind::Usage, "[resize] the image is empty");
  check_gray_or_rgb(source, "resize");
  if (width < 1 || height < 1)
    fail(ErrorKind::Usage, "[resize] target size must be at least 1 x 1 px: {} x {}", width,
         height);
  const FloatTaps across = taps_for(source.width, width, filter);
  const FloatTaps down = taps_for(source.height, height, filter);
  Planes out(width, height, source.channels);
  std::vector<float> block(source.row_bytes() * kRows), turned(block.size());
  for (int y = 0; y < height; y += static_cast<int>(kRows)) {
    const std::size_t rows = std::min(kRows, static_cast<std::size_t>(height - y));
    for (std::size_t r = 0; r < rows; ++r)
      weigh_rows(source, down, y + static_cast<int>(r),
                 std::span(block).subspan(r * source.row_bytes(), source.row_bytes()));
    turn(block, turned);
    if (source.channels == 1)
      scale_across<1>(turned, across, y, rows, out);
    else
      scale_across<3>(turned, across, y, rows, out);
  }
  return out;
}

}  // namespace dino::image
