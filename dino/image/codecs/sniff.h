// Identifies a file's format by its first bytes. File names are ignored: many .jpg files from the
// web have other formats.
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

/** How many bytes from the start of a file kind_of() and describe() use. */
inline constexpr std::size_t kSniffBytes = 512;

/** The image format by its signature; Unknown for what decode() does not read. Thread-safe. */
ImageKind kind_of(std::span<const std::byte> bytes);

/** "jpeg", "png", "webp", "tiff", "gif", "bmp", "pnm", "heic", "avif", "jpeg_xl", "jpeg_2000",
 * "dicom" or "unknown". */
std::string_view name_of(ImageKind kind);

/** A phrase for the contents, for error messages: "a JPEG image", "a NIfTI volume", "an HTML page",
 * "text", "unknown binary data". For image formats that are not read it includes what to do. */
std::string_view describe(std::span<const std::byte> bytes);

}  // namespace dino::image
