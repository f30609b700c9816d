#include "dino/image/stored_samples.h"

#include <algorithm>
#include <cmath>

namespace dino::image {
namespace {

/** value / most * full, rounded. */
std::uint32_t scaled(std::int64_t value, std::int64_t most, std::int64_t full) {
  return static_cast<std::uint32_t>((std::clamp<std::int64_t>(value, 0, most) * full + most / 2) /
                                    most);
}

template <typename Sample>
std::vector<Sample> scaled_all(const StoredSamples& stored, std::int64_t full) {
  const std::int64_t most = (std::int64_t{1} << stored.bits) - 1;
  const std::int64_t least = stored.is_signed ? -(std::int64_t{1} << (stored.bits - 1)) : 0;
  std::vector<Sample> values(stored.values.size());
  std::ranges::transform(stored.values, values.begin(), [&](std::int32_t value) {
    return static_cast<Sample>(scaled(value - least, most, full));
  });
  return values;
}

}  // namespace

void spread(std::vector<std::uint16_t>& values, int bits) {
  if (bits >= 16) return;
  const std::int64_t most = (std::int64_t{1} << bits) - 1;
  for (std::uint16_t& value : values)
    value = static_cast<std::uint16_t>(scaled(value, most, 65535));
}

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

Raster to_raster(const StoredSamples& stored) {
  Raster raster{.width = stored.width,
                .height = stored.height,
                .samples = stored.samples,
                .is_rgb = stored.is_rgb,
                .has_alpha = stored.has_alpha,
                .values = {}};
  if (stored.bits <= 8)
    raster.values = scaled_all<std::uint8_t>(stored, 255);
  else
    raster.values = scaled_all<std::uint16_t>(stored, 65535);
  return raster;
}

}  // namespace dino::image
