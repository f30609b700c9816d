// What decode() asks of each image format. A new format is one more pair of functions and a line in
// decode.cpp.
#pragma once
#include <cstddef>
#include <span>

#include "dino/image/decode.h"

namespace dino::image {

using Bytes = std::span<const std::byte>;

ImageInfo peek_jpeg(Bytes bytes);
ImageInfo peek_png(Bytes bytes);

Image decode_jpeg(Bytes bytes, int channels, const DecodeLimits& limits);
Image decode_png(Bytes bytes, int channels, const DecodeLimits& limits);

/** Throws Error{Format} unless the size is within limits and `bytes_needed` (the least a whole file
 * of this size takes) are there: called before anything is allocated for the pixels. */
void check_size(std::int64_t width, std::int64_t height, std::size_t bytes_needed, Bytes bytes,
                const DecodeLimits& limits);

}  // namespace dino::image
