#include "dino/image/raster.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "dino/base/error.h"
#include "dino/image/color.h"

namespace dino::image {
namespace {

constexpr float kUnit = 1.0F / 255;

std::uint8_t to_byte(std::uint8_t value) {
  return value;
}
std::uint8_t to_byte(std::uint16_t value) {
  return static_cast<std::uint8_t>(value >> 8);
}
std::uint8_t to_byte(float value) {
  return value > 0 ? static_cast<std::uint8_t>(std::min(value, 1.0F) * 255 + 0.5F) : 0;  // NaN: 0
}

float to_float(std::uint8_t value) {
  return static_cast<float>(value) * kUnit;
}
float to_float(std::uint16_t value) {
  return static_cast<float>(value) / 65535.0F;
}
float to_float(float value) {
  return value;
}

/** Pillow's rounding of a mean weighted by alpha / 255. */
std::uint8_t over(std::uint8_t value, std::uint8_t under, std::uint8_t alpha) {
  const int sum = under * (255 - alpha) + value * alpha + 128;
  return static_cast<std::uint8_t>(((sum >> 8) + sum) >> 8);
}
float over(float value, float under, float alpha) {
  return under + (value - under) * alpha;
}

/** Calls `put(pixel, channel, value)` for every value of the result; T is what the arithmetic is
 * done in, `convert` makes it of a stored sample. */
template <typename T, typename Stored, typename Convert, typename Put>
void convert_pixels(const Raster& raster, const std::vector<Stored>& stored, int channels,
                    const Background& background, Convert convert, Put put) {
  const auto samples = static_cast<std::size_t>(raster.samples);
  const int bands = raster.bands();
  const bool blend = background && raster.has_alpha && channels != raster.samples;
  const bool to_grey = channels == 1 && bands != 1, to_colour = channels == 3 && bands == 1;
  std::array<T, 3> under{};
  if (background) {
    for (std::size_t c = 0; c < 3; ++c) under[c] = convert((*background)[c]);
    if (bands == 1 && channels == 1) under[0] = luma(under[0], under[1], under[2]);
  }
  const Stored* from = stored.data();
  const std::size_t pixels = stored.size() / samples;
  for (std::size_t pixel = 0; pixel < pixels; ++pixel, from += samples) {
    const auto value = [&](int c) {
      const T own = convert(from[to_colour ? 0 : c]);
      if (!blend) return own;
      return over(own, under[static_cast<std::size_t>(std::min(c, 2))],
                  static_cast<T>(convert(from[samples - 1])));
    };
    if (to_grey)
      put(pixel, 0, luma(value(0), value(1), value(2)));
    else
      for (int c = 0; c < channels; ++c) put(pixel, c, value(c));
  }
}

}  // namespace

int resolve_channels(const Raster& raster, int channels) {
  if (channels == 0) return raster.bands();
  const bool as_stored = channels == raster.bands() || channels == raster.samples;
  const bool colours = raster.is_rgb || raster.bands() == 1;
  if (as_stored || (colours && (channels == 1 || channels == 3))) return channels;
  fail(ErrorKind::Format,
       "[decode] {} channels cannot be made of a file with {} bands{}; ask for {}", channels,
       raster.bands(), raster.has_alpha ? " and alpha" : "", raster.bands());
}

Image to_image(const Raster& raster, int channels, const Background& background) {
  channels = resolve_channels(raster, channels);
  Image image(raster.width, raster.height, channels);
  const auto count = static_cast<std::size_t>(channels);
  std::visit(
      [&](const auto& stored) {
        convert_pixels<std::uint8_t>(
            raster, stored, channels, background, [](auto value) { return to_byte(value); },
            [&](std::size_t pixel, int c, std::uint8_t value) {
              image.pixels[pixel * count + static_cast<std::size_t>(c)] = value;
            });
      },
      raster.values);
  return image;
}

Planes to_planes(const Raster& raster, int channels, const Background& background) {
  channels = resolve_channels(raster, channels);
  Planes planes(raster.width, raster.height, channels);
  std::visit(
      [&](const auto& stored) {
        convert_pixels<float>(
            raster, stored, channels, background, [](auto value) { return to_float(value); },
            [&](std::size_t pixel, int c, float value) { planes.plane(c)[pixel] = value; });
      },
      raster.values);
  return planes;
}

Planes to_planes(const Image& image) {
  const auto channels = static_cast<std::size_t>(image.channels);
  Planes planes(image.width, image.height, image.channels);
  for (std::size_t c = 0; c < channels; ++c) {
    float* plane = planes.plane(static_cast<int>(c));
    for (std::size_t i = 0; i < planes.plane_size(); ++i)
      plane[i] = static_cast<float>(image.pixels[i * channels + c]) * kUnit;
  }
  return planes;
}

}  // namespace dino::image
