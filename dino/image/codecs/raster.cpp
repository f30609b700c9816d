#include "dino/image/codecs/raster.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "dino/base/error.h"
#include "dino/image/pixels/color.h"

namespace dino::image {
namespace {

constexpr float kUnit = 1.0F / 255;

/** The default values of black and white for each type. */
template <typename Stored>
constexpr ValueRange kSpan = {
    0, std::is_integral_v<Stored> ? std::numeric_limits<Stored>::max() : Stored{1}};

/** Stored values -> [0, 1] or bytes by one range. */
template <typename Stored>
class Scale {
 public:
  Scale(ValueRange range, bool inverted)
      : low_(range.low),
        span_(range.high - range.low),
        spans_type_(range == kSpan<Stored>),
        inverted_(inverted) {}

  void convert(Stored value, float& out) const {
    out = unit(value);
    if (!std::isfinite(out)) out = 0;
    if (inverted_) out = 1 - out;
  }

  void convert(Stored value, std::uint8_t& out) const {
    out = byte(value);
    if (inverted_) out = static_cast<std::uint8_t>(255 - out);
  }

 private:
  float unit(Stored value) const {
    if (spans_type_) {
      if constexpr (std::is_same_v<Stored, std::uint8_t>) return static_cast<float>(value) * kUnit;
      if constexpr (std::is_same_v<Stored, float>) return value;
    }
    return static_cast<float>((static_cast<double>(value) - low_) / span_);
  }

  std::uint8_t byte(Stored value) const {
    if (spans_type_) {
      if constexpr (std::is_same_v<Stored, std::uint8_t>) return value;
      if constexpr (std::is_same_v<Stored, std::uint16_t>)
        return static_cast<std::uint8_t>(value >> 8);
    }
    // Divided before it is multiplied, and half rounded to even, as Pillow does.
    const double level = (static_cast<double>(value) - low_) / span_ * 255;
    return level > 0 ? static_cast<std::uint8_t>(std::nearbyint(std::min(level, 255.0))) : 0;
  }

  double low_, span_;
  bool spans_type_, inverted_;
};

void of_background(std::uint8_t level, std::uint8_t& out) {
  out = level;
}
void of_background(std::uint8_t level, float& out) {
  out = static_cast<float>(level) * kUnit;
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
 * done in. */
template <typename T, typename Stored, typename Put>
void convert_pixels(const Raster& raster, const std::vector<Stored>& stored, int channels,
                    const Background& background, Put put) {
  const auto samples = static_cast<std::size_t>(raster.samples);
  const int bands = raster.bands();
  const bool blend = background && raster.has_alpha && channels != raster.samples;
  const bool to_gray = channels == 1 && bands != 1, to_color = channels == 3 && bands == 1;
  const Scale<Stored> color(raster.range(), raster.inverted), alpha(raster.own_range(), false);
  const NoData<Stored> is_empty(raster);
  std::array<T, 3> under{};
  if (background) {
    for (std::size_t c = 0; c < 3; ++c) of_background((*background)[c], under[c]);
    if (bands == 1 && channels == 1) under[0] = luma(under[0], under[1], under[2]);
  }
  const Stored* from = stored.data();
  const std::size_t pixels = stored.size() / samples;
  for (std::size_t pixel = 0; pixel < pixels; ++pixel, from += samples) {
    const auto value = [&](int c) {
      T own{};
      const int at = to_color ? 0 : c;
      if (at < bands && !is_empty(from, at)) color.convert(from[at], own);
      if (at >= bands) alpha.convert(from[at], own);
      if (!blend) return own;
      T share{};
      alpha.convert(from[samples - 1], share);
      return over(own, under[static_cast<std::size_t>(std::min(c, 2))], share);
    };
    if (to_gray)
      put(pixel, 0, luma(value(0), value(1), value(2)));
    else
      for (int c = 0; c < channels; ++c) put(pixel, c, value(c));
  }
}

}  // namespace

ValueRange Raster::own_range() const {
  if (declared) return *declared;
  return std::visit([]<typename Stored>(const std::vector<Stored>&) { return kSpan<Stored>; },
                    values);
}

std::string_view Raster::type_name() const {
  constexpr std::string_view kNames[] = {"uint8", "uint16", "float32"};
  return type.empty() ? kNames[values.index()] : type;
}

int resolve_channels(const Raster& raster, int channels) {
  if (channels == 0) return raster.bands();
  const bool as_stored = channels == raster.bands() || channels == raster.samples;
  const bool colors = raster.is_rgb || raster.bands() == 1;
  if (as_stored || (colors && (channels == 1 || channels == 3))) return channels;
  fail(ErrorKind::Format,
       "[decode] {} channels cannot be made of a file with {} bands{}; ask for {}", channels,
       raster.bands(), raster.has_alpha ? " and alpha" : "", raster.bands());
}

Image to_image(const Raster& raster, int channels, const Background& background) {
  channels = resolve_channels(raster, channels);
  Image image(raster.width, raster.height, channels);
  if (const auto* bytes = std::get_if<std::vector<std::uint8_t>>(&raster.values);
      bytes && channels == raster.samples && raster.range() == kSpan<std::uint8_t> &&
      raster.own_range() == raster.range() && !raster.inverted && !raster.no_data) {
    image.pixels = *bytes;
    return image;
  }
  const auto count = static_cast<std::size_t>(channels);
  std::visit(
      [&](const auto& stored) {
        convert_pixels<std::uint8_t>(raster, stored, channels, background,
                                     [&](std::size_t pixel, int c, std::uint8_t value) {
                                       image.pixels[pixel * count + static_cast<std::size_t>(c)] =
                                           value;
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
            raster, stored, channels, background,
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
