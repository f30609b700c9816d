#include "dino/image/orientation.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "dino/image/byte_reader.h"

namespace dino::image {
namespace {

constexpr std::uint16_t kOrientationTag = 274;

using namespace std::string_view_literals;

bool starts_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() &&
         std::string_view(reinterpret_cast<const char*>(bytes.data()), text.size()) == text;
}

/** From a TIFF header and its first directory, which is what EXIF is. */
int orientation_in(Bytes exif) {
  if (starts_with(exif, "Exif\0\0"sv)) exif = exif.subspan(6);
  const bool little = starts_with(exif, "II*\0"sv);
  if (!little && !starts_with(exif, "MM\0*"sv)) return 1;
  const ByteReader reader(exif, little ? Endian::Little : Endian::Big);
  const std::size_t directory = reader.u32(4).value_or(0);
  const std::size_t entries = reader.u16(directory).value_or(0);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    const auto tag = reader.u16(entry);
    if (!tag) return 1;
    if (*tag != kOrientationTag) continue;
    const int value = reader.u16(entry + 8).value_or(1);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

int orientation_of_jpeg(Bytes bytes) {
  const ByteReader reader(bytes, Endian::Big);
  std::size_t at = 2;
  while (const auto marker = reader.u16(at)) {
    if (*marker == 0xFFFF) {  // fill
      ++at;
      continue;
    }
    const auto length = reader.u16(at + 2);
    // 0xFFDA begins the pixels; what is not a marker is damage.
    if (*marker == 0xFFDA || *marker < 0xFFC0 || !length || *length < 2) break;
    const Bytes content = reader.part(at + 4, *length - std::size_t{2});
    if (*marker == 0xFFE1 && starts_with(content, "Exif\0\0"sv)) return orientation_in(content);
    at += 2 + std::size_t{*length};
  }
  return 1;
}

int orientation_of_png(Bytes bytes) {
  const ByteReader reader(bytes, Endian::Big);
  std::size_t at = 8;
  while (const auto length = reader.u32(at)) {
    if (starts_with(reader.part(at + 4, 4), "eXIf"sv))
      return orientation_in(reader.part(at + 8, *length));
    at += 12 + std::size_t{*length};
  }
  return 1;
}

int orientation_of_webp(Bytes bytes) {
  const ByteReader reader(bytes, Endian::Little);
  std::size_t at = 12;
  while (const auto length = reader.u32(at + 4)) {
    if (starts_with(reader.part(at, 4), "EXIF"sv))
      return orientation_in(reader.part(at + 8, *length));
    at += 8 + std::size_t{*length} + (*length & 1);
  }
  return 1;
}

struct Point {
  int x = 0, y = 0;
};

/** Where pixel (x, y) of the upright image lies in the stored one of `width` x `height` px. */
Point stored_point(int x, int y, int width, int height, int orientation) {
  switch (orientation) {
    case 2:
      return {width - 1 - x, y};
    case 3:
      return {width - 1 - x, height - 1 - y};
    case 4:
      return {x, height - 1 - y};
    case 5:
      return {y, x};
    case 6:
      return {y, height - 1 - x};
    case 7:
      return {width - 1 - y, height - 1 - x};
    case 8:
      return {width - 1 - y, x};
    default:
      return {x, y};
  }
}

}  // namespace

int orientation_of(Bytes bytes, ImageKind kind) {
  switch (kind) {
    case ImageKind::Jpeg:
      return orientation_of_jpeg(bytes);
    case ImageKind::Png:
      return orientation_of_png(bytes);
    case ImageKind::WebP:
      return orientation_of_webp(bytes);
    default:
      return 1;
  }
}

Image upright(Image image, int orientation) {
  if (orientation <= 1) return image;
  const bool swap = swaps_sides(orientation);
  Image out(swap ? image.height : image.width, swap ? image.width : image.height, image.channels);
  std::uint8_t* to = out.pixels.data();
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x) {
      const Point at = stored_point(x, y, image.width, image.height, orientation);
      const std::uint8_t* from = image.row(at.y) + at.x * image.channels;
      for (int c = 0; c < image.channels; ++c) *to++ = from[c];
    }
  return out;
}

Planes upright(Planes planes, int orientation) {
  if (orientation <= 1) return planes;
  const bool swap = swaps_sides(orientation);
  Planes out(swap ? planes.height : planes.width, swap ? planes.width : planes.height,
             planes.channels);
  for (int c = 0; c < out.channels; ++c)
    for (int y = 0; y < out.height; ++y)
      for (int x = 0; x < out.width; ++x) {
        const Point at = stored_point(x, y, planes.width, planes.height, orientation);
        out.row(c, y)[x] = planes.row(c, at.y)[at.x];
      }
  return out;
}

PixelBox stored_box(const PixelBox& box, int width, int height, int orientation) {
  const Point a = stored_point(box.left, box.top, width, height, orientation);
  const Point b =
      stored_point(box.left + box.width - 1, box.top + box.height - 1, width, height, orientation);
  return {std::min(a.x, b.x), std::min(a.y, b.y), std::abs(a.x - b.x) + 1, std::abs(a.y - b.y) + 1};
}

}  // namespace dino::image
