// The boxes of ISO files (JPEG 2000, HEIF): a length, a type, a content that may be boxes again.
#pragma once
#include "dino/image/codecs/byte_reader.h"

namespace dino::image {

constexpr std::uint32_t box_type(const char (&name)[5]) {
  std::uint32_t type = 0;
  for (std::size_t i = 0; i < 4; ++i) type = type << 8 | static_cast<unsigned char>(name[i]);
  return type;
}

/** Calls see(type, content) for each box of `bytes`; ends at one that is damaged or, but for the
 * last, above 4 GB. */
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
