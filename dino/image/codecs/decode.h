// Decodes image files. The format is recognized by the first bytes, never by the file's name.
#pragma once
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>

#include "dino/image/codecs/raster.h"
#include "dino/image/codecs/sniff.h"
#include "dino/image/image.h"
#include "dino/image/planes.h"
#include "dino/image/value_range.h"

namespace dino::image {

struct DecodeOptions {
  std::int64_t max_pixels = 178'956'970;  ///< width x height; Pillow's decompression-bomb limit
  /// Apply the EXIF (or TIFF) orientation, as viewers do. The reference training code does not:
  /// false gives its pixels
  bool upright = true;
  /// RGB color behind transparent pixels; if not set, alpha is dropped
  std::optional<std::array<std::uint8_t, 3>> background = std::nullopt;
  /// Stored values that mean black and white, for all samples but alpha. If not set, the file says
  /// so or else the type of its samples; see Raster::declared
  std::optional<ValueRange> value_range = std::nullopt;
  int page = 0;  ///< page of a TIFF file (overviews do not count) or frame of a DICOM file, from 0
  /// 1, 2, 4 or 8: decode a JPEG at this fraction of its size (rounded up). Much faster than
  /// resizing the whole image, but with other pixels. Other formats ignore it
  int jpeg_shrink = 1;
  /// Above 0: take the strongest jpeg_shrink that leaves the geometric mean of the sides and the
  /// shorter side at least these many px
  int jpeg_min_side = 0, jpeg_min_short_side = 0;
};

/** The properties in an image's header. */
struct ImageInfo {
  ImageKind kind = ImageKind::Unknown;
  int width = 0;           ///< px, of decode()'s result with the same options
  int height = 0;          ///< px
  int channels = 0;        ///< 1 gray, 3 RGB, else the number of bands; without alpha
  int bits = 8;            ///< per stored sample, 1 to 64
  bool is_float = false;   ///< samples are floating-point numbers
  bool has_alpha = false;  ///< an alpha channel follows the others
  int pages = 1;           ///< images in a TIFF file, frames of a DICOM file
};

/** A region of the decoded image; it must lie inside. */
struct PixelBox {
  int left = 0, top = 0, width = 0, height = 0;  ///< px
};

/** Reads the header only. Throws Error{Format} as decode() does. Thread-safe. */
ImageInfo peek(std::span<const std::byte> bytes, const DecodeOptions& options = {});

/** Decodes JPEG, PNG, WebP (first frame), TIFF (one page), GIF (first frame), BMP, PNM, HEIC, AVIF,
 * JPEG XL (first frame), JPEG 2000 or DICOM (one frame, as a viewer shows it) to 8 bits.
 * `channels` is 1 (gray by Rec. 601 luma), 3 (RGB), the file's number of bands, with or without
 * alpha, or 0 (the number of bands without alpha). Alpha is dropped or blended over
 * options.background, CMYK converted, and samples are scaled from their range to 0..255 and
 * clipped, as to_image() does. The result equals Pillow's convert("RGB") or convert("L") for the
 * formats that Pillow reads, except for 16-bit gray, which Pillow clips at 255. Throws
 * Error{Format} with the reason on bytes that are not such an image, are truncated, exceed the
 * options' limits or have bands that are not colors; Error{Usage} on invalid options. Thread-safe.
 */
Image decode(std::span<const std::byte> bytes, int channels, const DecodeOptions& options = {});

/** Decodes like decode() but without loss: maps the range to 0..1 and clips nothing. 8-bit samples
 * are divided by 255, 16-bit ones by 65,535, floats are kept, unless the file or options say
 * otherwise. Thread-safe. */
Planes decode_wide(std::span<const std::byte> bytes, int channels,
                   const DecodeOptions& options = {});

/** Reads the stored samples, from which decode() and decode_wide() compute their results, without
 * applying the orientation. Thread-safe. */
Raster read_raster(std::span<const std::byte> bytes, const DecodeOptions& options = {});

/** Decodes the region `box`: the same pixels as of decode()'s result. For JPEG and TIFF only the
 * needed part is decoded, and options.max_pixels limits the box instead of the image. Throws as
 * decode(), and Error{Usage} on a box outside the image. Thread-safe. */
Image decode_region(std::span<const std::byte> bytes, const PixelBox& box, int channels,
                    const DecodeOptions& options = {});

/** Reads and decodes a file; messages name the path. Throws Error{Io} where it cannot be read,
 *  Error{Format} as above. */
Image decode_file(const std::filesystem::path& path, int channels,
                  const DecodeOptions& options = {});
Planes decode_file_wide(const std::filesystem::path& path, int channels,
                        const DecodeOptions& options = {});

}  // namespace dino::image
