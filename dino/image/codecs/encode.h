// Pixels -> bytes of an image file.
#pragma once
#include <cstddef>
#include <filesystem>
#include <vector>

#include "dino/image/image.h"

namespace dino::image {

/** A PNG of the same pixels (lossless). Throws Error{Usage} on an empty image. Thread-safe. */
std::vector<std::byte> encode_png(const Image& image);

/** A baseline JPEG, `quality` 1..100. Throws Error{Usage} on an empty image, a side above 65,500 px
 * or a quality out of range. Thread-safe. */
std::vector<std::byte> encode_jpeg(const Image& image, int quality = 90);

/** Writes a PNG atomically: `path` holds the old or the new file, never a part. Throws Error{Io}.
 */
void write_png(const std::filesystem::path& path, const Image& image);

/** Throws Error{Usage} unless the image has pixels, as many as its size says, in 1 or 3 channels.
 */
void check_encodable(const Image& image);

}  // namespace dino::image
