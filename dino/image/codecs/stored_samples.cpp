#include "dino/image/codecs/stored_samples.h"

#include <algorithm>
#include <cmath>

namespace dino::image {
namespace {

template <typename Sample>
std::vector<Sample> copy_of(const StoredSamples& stored) {
  std::vector<Sample> values(stored.values.size());
  std::ranges::transform(stored.values, values.begin(),
                         [](std::int32_t value) { return static_cast<Sample>(value); });
  return values;
}

}  // namespace

void ycc_to_rgb(StoredSamples& stored) {
  const double half = stored.is_signed ? 0 : static_cast<double>(1 << (stored.bits - 1));
  const std::int32_t least = stored.is_signed ? -(1 << (stored.bits - 1)) : 0;
  const std::int32_t most = least + (1 << stored.bits) - 1;
  const auto rounded = [&](double value) {
    return std::clamp(static_cast<std::int32_t>(std::lround(value)), least, most);
  };
  for (std::size_t i = 0; i + 3 <= stored.values.size();
       i += static_cast<std::size_t>(stored.samples)) {
    std::int32_t* const pixel = stored.values.data() + i;
    const double y = pixel[0], blue = pixel[1] - half, red = pixel[2] - half;
    pixel[0] = rounded(y + 1.402 * red);
    pixel[1] = rounded(y - 0.344136 * blue - 0.714136 * red);
    pixel[2] = rounded(y + 1.772 * blue);
  }
}

ValueRange range_of(const StoredSamples& stored) {
  const double half = std::exp2(stored.bits - 1);
  return stored.is_signed ? ValueRange{-half, half - 1} : ValueRange{0, 2 * half - 1};
}

Raster to_raster(const StoredSamples& stored) {
  Raster raster{.width = stored.width,
                .height = stored.height,
                .samples = stored.samples,
                .is_rgb = stored.is_rgb,
                .has_alpha = stored.has_alpha,
                .values = {}};
  raster.declared = range_of(stored);
  if (stored.is_signed)
    raster.values = copy_of<float>(stored);
  else if (stored.bits <= 8)
    raster.values = copy_of<std::uint8_t>(stored);
  else
    raster.values = copy_of<std::uint16_t>(stored);
  return raster;
}

}  // namespace dino::image
