#include "dino/data/scenes/cutout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "dino/image/codecs/decode.h"
#include "dino/image/pixels/planes_ops.h"

namespace dino::data {
namespace {

constexpr int kAlpha = 3;
constexpr std::uint8_t kSolidByte = 128;

/** Product of two bytes that stand for [0, 1], rounded. */
std::uint8_t byte_product(std::uint8_t a, std::uint8_t b) {
  return static_cast<std::uint8_t>((a * b + 127) / 255);
}

/** Gray or color with alpha -> premultiplied RGBA. */
Cutout premultiplied(const image::Raster& raster) {
  const image::Image samples = image::to_image(raster, raster.samples, {});
  const bool gray = raster.samples == 2;
  Cutout out(samples.width, samples.height, 4);
  const std::uint8_t* from = samples.pixels.data();
  for (std::uint8_t* to = out.pixels.data(); to != out.pixels.data() + out.pixels.size();
       to += 4, from += raster.samples) {
    to[kAlpha] = from[raster.samples - 1];
    for (int c = 0; c < 3; ++c) to[c] = byte_product(from[gray ? 0 : c], to[kAlpha]);
  }
  return out;
}

/** The smallest region that holds all pixels of some alpha. Some must exist. */
image::PixelBox box_of_alpha(const Cutout& picture) {
  int left = picture.width, top = picture.height, right = 0, bottom = 0;
  for (int y = 0; y < picture.height; ++y)
    for (int x = 0; x < picture.width; ++x) {
      if (picture.row(y)[4 * x + kAlpha] == 0) continue;
      left = std::min(left, x), right = std::max(right, x + 1);
      top = std::min(top, y), bottom = std::max(bottom, y + 1);
    }
  return {left, top, right - left, bottom - top};
}

Cutout trimmed(const Cutout& picture) {
  const image::PixelBox box = box_of_alpha(picture);
  Cutout out(box.width, box.height, 4);
  for (int y = 0; y < out.height; ++y)
    std::copy_n(picture.row(box.top + y) + 4 * box.left, out.row_bytes(), out.row(y));
  return out;
}

image::Planes scaled(const Cutout& cutout, double factor) {
  const auto length = [factor](int side) {
    return std::max(1, static_cast<int>(std::lround(side * factor)));
  };
  const int width = length(cutout.width), height = length(cutout.height);
  image::Planes planes = image::to_planes(cutout);
  if (width == cutout.width && height == cutout.height) return planes;
  return image::resize_crop(
      planes, {0, 0, static_cast<float>(cutout.width), static_cast<float>(cutout.height)}, width,
      height, image::Filter::Bilinear);
}

Cutout to_bytes(const image::Planes& planes) {
  Cutout out(planes.width, planes.height, 4);
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      for (int c = 0; c < 4; ++c)
        out.row(y)[4 * x + c] =
            static_cast<std::uint8_t>(std::lround(255 * std::clamp(planes.row(c, y)[x], 0.F, 1.F)));
  return out;
}

/** Samples at (u, v), in px from the center of the first pixel; transparent outside. */
std::array<float, 4> sample(const image::Planes& planes, double u, double v) {
  std::array<float, 4> sums{};
  const double left = std::floor(u), top = std::floor(v);
  for (int dy = 0; dy < 2; ++dy)
    for (int dx = 0; dx < 2; ++dx) {
      const int x = static_cast<int>(left) + dx, y = static_cast<int>(top) + dy;
      if (x < 0 || y < 0 || x >= planes.width || y >= planes.height) continue;
      const auto weight =
          static_cast<float>((1 - std::abs(u - left - dx)) * (1 - std::abs(v - top - dy)));
      for (std::size_t c = 0; c < 4; ++c) sums[c] += weight * planes.row(static_cast<int>(c), y)[x];
    }
  return sums;
}

}  // namespace

std::optional<Cutout> cut_out(const image::Raster& raster, int most_px, NoCutout& why) {
  why = NoCutout::Opaque;
  if (!raster.has_alpha || (raster.samples != 2 && raster.samples != 4)) return std::nullopt;
  const Cutout picture = premultiplied(raster);
  std::int64_t solid = 0;
  for (std::size_t i = kAlpha; i < picture.pixels.size(); i += 4)
    solid += picture.pixels[i] >= kSolidByte ? 1 : 0;
  if (solid == std::int64_t{picture.width} * picture.height) return std::nullopt;
  why = NoCutout::Small;
  if (solid < kLeastSolidPixels) return std::nullopt;
  Cutout cutout = trimmed(picture);
  const int side = std::max(cutout.width, cutout.height);
  if (side <= most_px) return cutout;
  return to_bytes(scaled(cutout, static_cast<double>(most_px) / side));
}

Layer pose(const Cutout& cutout, const Pose& where, int scene_px) {
  image::Planes planes = scaled(cutout, where.side_px / std::max(cutout.width, cutout.height));
  if (where.mirrored) image::flip_horizontal(planes);
  const double angle = where.degrees * std::numbers::pi / 180;
  const double cosine = std::cos(angle), sine = std::sin(angle);
  const double half_width =
      0.5 * (std::abs(cosine) * planes.width + std::abs(sine) * planes.height);
  const double half_height =
      0.5 * (std::abs(sine) * planes.width + std::abs(cosine) * planes.height);
  const auto within = [scene_px](double edge) {
    return static_cast<int>(std::clamp(edge, 0.0, static_cast<double>(scene_px)));
  };
  Layer layer{within(std::floor(where.center_x - half_width)),
              within(std::floor(where.center_y - half_height)),
              {}};
  layer.planes.reshape(within(std::ceil(where.center_x + half_width)) - layer.left,
                       within(std::ceil(where.center_y + half_height)) - layer.top, 4);
  for (int y = 0; y < layer.planes.height; ++y)
    for (int x = 0; x < layer.planes.width; ++x) {
      const double right = layer.left + x + 0.5 - where.center_x;
      const double down = layer.top + y + 0.5 - where.center_y;
      const auto values = sample(planes, cosine * right + sine * down + 0.5 * planes.width - 0.5,
                                 cosine * down - sine * right + 0.5 * planes.height - 0.5);
      for (std::size_t c = 0; c < 4; ++c) layer.planes.row(static_cast<int>(c), y)[x] = values[c];
    }
  return layer;
}

}  // namespace dino::data
