// Contact sheets and heat maps.
#include "dino/image/pictures/draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "dino/base/error.h"
#include "dino/image/pixels/color.h"

namespace dino::image {
namespace {

// 16 evenly spaced colors of each map, of which the ones between are mixed (at most 7 of 255 off):
// viridis by S. van der Walt and N. Smith (CC0), turbo by A. Mikhailov (Apache-2.0).
using Anchors = std::array<Color, 16>;
constexpr Anchors kViridis = {{{68, 1, 84},
                               {72, 26, 108},
                               {71, 47, 125},
                               {65, 68, 135},
                               {57, 86, 140},
                               {49, 104, 142},
                               {42, 120, 142},
                               {35, 136, 142},
                               {31, 152, 139},
                               {34, 168, 132},
                               {53, 183, 121},
                               {84, 197, 104},
                               {122, 209, 81},
                               {165, 219, 54},
                               {210, 226, 27},
                               {253, 231, 37}}};
constexpr Anchors kTurbo = {{{48, 18, 59},
                             {65, 67, 167},
                             {71, 113, 233},
                             {62, 155, 254},
                             {34, 197, 226},
                             {26, 228, 182},
                             {70, 248, 132},
                             {136, 255, 78},
                             {185, 246, 53},
                             {225, 221, 55},
                             {250, 186, 57},
                             {253, 141, 39},
                             {240, 91, 18},
                             {214, 53, 6},
                             {175, 24, 1},
                             {122, 4, 3}}};

std::uint8_t mix(std::uint8_t from, std::uint8_t to, float share) {
  return static_cast<std::uint8_t>(
      std::lround(static_cast<float>(from) + share * static_cast<float>(to - from)));
}

/** The image with as many channels as `channels`. */
Image with_channels(const Image& image, int channels) {
  return channels == 1 ? gray_copy(image) : rgb_copy(image);
}

}  // namespace

Image filled(int width, int height, int channels, Color color) {
  Image image(width, height, channels);
  if (channels == 1) {
    std::fill(image.pixels.begin(), image.pixels.end(), luma(color.red, color.green, color.blue));
    return image;
  }
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    image.pixels[i] = color.red;
    image.pixels[i + 1] = color.green;
    image.pixels[i + 2] = color.blue;
  }
  return image;
}

Image rgb_copy(const Image& image) {
  if (image.channels == 3) return image;
  Image rgb(image.width, image.height, 3);
  std::uint8_t* out = rgb.pixels.data();
  for (const auto sample : image.pixels) out = std::fill_n(out, 3, sample);
  return rgb;
}

void paste(Image& target, const Image& image, int x, int y) {
  if (image.channels != target.channels)
    return paste(target, with_channels(image, target.channels), x, y);
  const int left = std::max(x, 0);
  const int right = std::min(x + image.width, target.width);
  const int top = std::max(y, 0);
  const int bottom = std::min(y + image.height, target.height);
  if (left >= right) return;
  const int channels = target.channels;
  for (int row = top; row < bottom; ++row)
    std::copy_n(image.row(row - y) + (left - x) * channels, (right - left) * channels,
                target.row(row) + left * channels);
}

Image enlarge(const Image& image, int factor) {
  if (factor < 1) fail(ErrorKind::Usage, "[draw] factor must be at least 1: {}", factor);
  Image large(image.width * factor, image.height * factor, image.channels);
  for (int y = 0; y < large.height; ++y) {
    std::uint8_t* out = large.row(y);
    for (int x = 0; x < large.width; ++x)
      out = std::copy_n(image.row(y / factor) + x / factor * image.channels, image.channels, out);
  }
  return large;
}

Image grid(std::span<const Image> images, const GridOptions& options) {
  if (images.empty() || options.columns < 1 || options.gap < 0)
    fail(ErrorKind::Usage, "[draw] a grid needs images, columns and a gap of 0 or more: {}, {}, {}",
         images.size(), options.columns, options.gap);
  int cell_width = 0, cell_height = 0;
  for (const Image& image : images) {
    cell_width = std::max(cell_width, image.width);
    cell_height = std::max(cell_height, image.height);
  }
  const int count = static_cast<int>(images.size());
  const int columns = std::min(options.columns, count);
  const int rows = (count + columns - 1) / columns;
  Image sheet = filled(columns * (cell_width + options.gap) + options.gap,
                       rows * (cell_height + options.gap) + options.gap, 3, options.background);
  for (int i = 0; i < count; ++i) {
    const Image& image = images[static_cast<std::size_t>(i)];
    paste(
        sheet, image,
        options.gap + i % columns * (cell_width + options.gap) + (cell_width - image.width) / 2,
        options.gap + i / columns * (cell_height + options.gap) + (cell_height - image.height) / 2);
  }
  return sheet;
}

Color map_color(ColorMap map, float value) {
  const Anchors& anchors = map == ColorMap::Viridis ? kViridis : kTurbo;
  const float position =
      value > 0 ? std::min(value, 1.0f) * static_cast<float>(anchors.size() - 1) : 0;
  const auto below = std::min(static_cast<std::size_t>(position), anchors.size() - 2);
  const float share = position - static_cast<float>(below);
  const Color& a = anchors[below];
  const Color& b = anchors[below + 1];
  return {mix(a.red, b.red, share), mix(a.green, b.green, share), mix(a.blue, b.blue, share)};
}

Image heat_map(std::span<const float> values, int width, int height, ColorMap map) {
  if (width < 1 || height < 1 ||
      values.size() != static_cast<std::size_t>(width) * static_cast<std::size_t>(height))
    fail(ErrorKind::Usage, "[draw] {} values do not fill {} x {} px", values.size(), width, height);
  float low = std::numeric_limits<float>::infinity(), high = -low;
  for (const float value : values)
    if (std::isfinite(value)) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  const float range = high > low ? high - low : 1.0f;
  Image image(width, height, 3);
  std::uint8_t* out = image.pixels.data();
  for (const float value : values) {
    const Color color = map_color(map, (value - low) / range);
    *out++ = color.red;
    *out++ = color.green;
    *out++ = color.blue;
  }
  return image;
}

}  // namespace dino::image
