// What a file's first bytes say it is. Names are never asked: half of the web's .jpg files are
// something else.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

namespace dino::image {

enum class ImageKind {
  Unknown,
  Jpeg,
  Png,
  WebP,
  Tiff,
  Gif,
  Bmp,
  Pnm,
  Heic,
  Avif,
  JpegXl,
  Jpeg2000,
  Dicom
};

/** Bytes from the start of a file that kind_of() and describe() look at. */
inline constexpr std::size_t kSniffBytes = 512;

/** By the signature; Unknown for what decode() does not read. */
ImageKind kind_of(std::span<const std::byte> bytes);

/** "jpeg", "png", "webp", "tiff", "gif", "bmp", "pnm", "heic", "avif", "jpeg_xl", "jpeg_2000",
 * "dicom" or "unknown". */
std::string_view name_of(ImageKind kind);

/** A name for the bytes, for error messages: "a JPEG image", "a NIfTI volume", "an HTML page",
 * "text", "unknown binary data"; of pictures that are not read with what to do about them. */
std::string_view describe(std::span<const std::byte> bytes);

}  // namespace dino::image
