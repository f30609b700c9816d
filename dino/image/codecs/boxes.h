// Iterates over the boxes of ISO base media files (JPEG 2000, HEIF). A box is a length, a type and
// content, which may be boxes again.
#pragma once
#include "dino/image/codecs/byte_reader.h"

namespace dino::image {

/** The type code of a box with this four-letter name. */
constexpr std::uint32_t box_type(const char (&name)[5]) {
  std::uint32_t type = 0;
  for (std::size_t i = 0; i < 4; ++i) type = type << 8 | static_cast<unsigned char>(name[i]);
  return type;
}

/** Calls see(type, content) for each box of `bytes`. Stops at a damaged box and at one above 4 GB,
 * unless it is the last. */
template <typename See>
void for_each_box(Bytes bytes, const See& see) {
  const ByteReader reader(bytes, Endian::Big);
  std::size_t at = 0;
  while (const auto length = reader.u32(at)) {
    const auto type = reader.u32(at + 4);
    const std::size_t size = *length == 0 ? bytes.size() - at : *length;
    if (!type || size < 8) return;
    see(*type, reader.part(at + 8, size - 8));
    if (size > bytes.size() - at) return;
    at += size;
  }
}

}  // namespace dino::image
