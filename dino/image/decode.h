// Bytes of an image file -> pixels. The kind is told from the first bytes, never from the file's
// name.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>

#include "dino/image/image.h"
#include "dino/image/sniff.h"

namespace dino::image {

struct DecodeLimits {
  std::int64_t max_pixels = 178'956'970;  ///< width x height; Pillow's decompression-bomb limit
};

/** What a header says. */
struct ImageInfo {
  ImageKind kind = ImageKind::Unknown;
  int width = 0;     ///< px
  int height = 0;    ///< px
  int channels = 0;  ///< 1 if the file is grey (with or without alpha), 3 otherwise
};

/** Reads the header only. Throws Error{Format} as decode() does. Thread-safe. */
ImageInfo peek(std::span<const std::byte> bytes);

/** Decodes JPEG or PNG (8/16 bit, grey, palette, alpha) into `channels` channels (1 = grey by
 *  Rec. 601 luma, 3 = RGB; alpha is dropped, CMYK converted, 16-bit samples keep their high byte),
 *  equal to Pillow's convert("RGB") / convert("L") (but for 16-bit grey, which Pillow clips at
 * 255). Throws Error{Format} with the reason on bytes that are no such image, truncated or larger
 * than limits. Thread-safe. */
Image decode(std::span<const std::byte> bytes, int channels, const DecodeLimits& limits = {});

/** Reads and decodes a file; messages name the path. Throws Error{Io} where it cannot be read,
 *  Error{Format} as above. */
Image decode_file(const std::filesystem::path& path, int channels, const DecodeLimits& limits = {});

}  // namespace dino::image
