// Bytes of an image file -> pixels. The kind is told from the first bytes, never from the file's
// name.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>

#include "dino/image/image.h"

namespace dino::image {

struct DecodeLimits {
  std::int64_t max_pixels = 178'956'970;  ///< width x height; Pillow's decompression-bomb limit
};

/** Decodes JPEG or PNG (8/16 bit, grey, palette, alpha) into `channels` channels (1 = grey by Rec.
 * 601 luma, 3 = RGB; alpha is dropped, CMYK converted, 16-bit samples keep their high byte), equal
 * to Pillow's convert("RGB") / convert("L"). Throws Error{Format} with the reason on bytes that are
 * no such image, truncated or larger than limits. Thread-safe. */
Image decode(std::span<const std::byte> bytes, int channels, const DecodeLimits& limits = {});

/** Reads and decodes a file; messages name the path. Throws Error{Io} where it cannot be read,
 * Error{Format} as above. */
Image decode_file(const std::filesystem::path& path, int channels, const DecodeLimits& limits = {});

}  // namespace dino::image
