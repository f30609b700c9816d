// Encodes images as PNG and JPEG.
#pragma once
#include <cstddef>
#include <filesystem>
#include <vector>

#include "dino/image/image.h"

namespace dino::image {

/** Encodes an image as PNG. Throws Error{Usage} on an empty image. Thread-safe. */
std::vector<std::byte> encode_png(const Image& image);

/** Encodes an image as baseline JPEG; `quality` is 1..100. Throws Error{Usage} on an empty image, a
 * side above 65,500 px or a quality out of range. Thread-safe. */
std::vector<std::byte> encode_jpeg(const Image& image, int quality = 90);

/** Writes a PNG atomically: `path` holds the old or the new file, never a part. Throws Error{Io}.
 */
void write_png(const std::filesystem::path& path, const Image& image);

/** Throws Error{Usage} unless the image has 1 or 3 channels and exactly as many pixels as its size
 * says, at least one. */
void check_encodable(const Image& image);

}  // namespace dino::image
