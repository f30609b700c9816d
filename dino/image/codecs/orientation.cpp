#include "dino/image/codecs/orientation.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "dino/image/codecs/byte_reader.h"
#include "dino/image/codecs/exif.h"

namespace dino::image {
namespace {

using namespace std::string_view_literals;

bool starts_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() &&
         std::string_view(reinterpret_cast<const char*>(bytes.data()), text.size()) == text;
}

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/** The orientation in the EXIF block or, if there is none, in the XMP packet. */
std::optional<int> first_of(Bytes exif, Bytes xmp) {
  const auto orientation = orientation_in_exif(exif);
  return orientation ? orientation : orientation_in_xmp(text_of(xmp));
}

std::optional<int> orientation_in_jpeg(Bytes bytes) {
  const ByteReader reader(bytes, Endian::Big);
  std::size_t at = 2;
  Bytes exif, xmp;
  while (const auto marker = reader.u16(at)) {
    if (*marker == 0xFFFF) {  // fill
      ++at;
      continue;
    }
    const auto length = reader.u16(at + 2);
    // 0xFFDA begins the pixels; what is not a marker is damage.
    if (*marker == 0xFFDA || *marker < 0xFFC0 || !length || *length < 2) break;
    const Bytes content = reader.part(at + 4, *length - std::size_t{2});
    if (*marker == 0xFFE1 && exif.empty() && starts_with(content, "Exif\0\0"sv)) exif = content;
    if (*marker == 0xFFE1 && starts_with(content, "http://ns.adobe.com/xap/1.0/\0"sv))
      xmp = content;
    at += 2 + std::size_t{*length};
  }
  return first_of(exif, xmp);
}

std::optional<int> orientation_in_webp(Bytes bytes) {
  const ByteReader reader(bytes, Endian::Little);
  std::size_t at = 12;
  Bytes exif, xmp;
  while (const auto length = reader.u32(at + 4)) {
    if (starts_with(reader.part(at, 4), "EXIF"sv)) exif = reader.part(at + 8, *length);
    if (starts_with(reader.part(at, 4), "XMP "sv)) xmp = reader.part(at + 8, *length);
    at += 8 + std::size_t{*length} + (*length & 1);
  }
  return first_of(exif, xmp);
}

struct Point {
  int x = 0, y = 0;
};

/** The position in the stored image of `width` x `height` px of pixel (x, y) of the upright one. */
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
      return orientation_in_jpeg(bytes).value_or(1);
    case ImageKind::Png:
      return orientation_in_png(bytes).value_or(1);
    case ImageKind::WebP:
      return orientation_in_webp(bytes).value_or(1);
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
