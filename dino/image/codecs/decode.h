// Bytes of an image file -> pixels. The kind is told from the first bytes, never from the file's
// name.
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
  /// Turn as the EXIF (or TIFF) orientation says, as viewers do. The reference training code does
  /// not: false gives its pixels
  bool upright = true;
  /// RGB put behind transparent pixels; without it alpha is dropped
  std::optional<std::array<std::uint8_t, 3>> background = std::nullopt;
  /// Stored values that become black and white, of all kinds of samples but alpha; without it the
  /// file says so, or the type of its samples: see Raster::declared
  std::optional<ValueRange> value_range = std::nullopt;
  int page = 0;  ///< of a TIFF file, from 0; overviews are no pages. Of DICOM files the frame
  /// 1, 2, 4 or 8: decode a JPEG at this fraction of its size (rounded up), much faster but not
  /// what resizing the whole image gives. Other formats ignore it
  int jpeg_shrink = 1;
  /// Above 0: the strongest jpeg_shrink that leaves the geometric mean of the sides, and the
  /// shorter side, this many px
  int jpeg_min_side = 0, jpeg_min_short_side = 0;
};

/** What a header says. */
struct ImageInfo {
  ImageKind kind = ImageKind::Unknown;
  int width = 0;           ///< px, as decode() with the same options gives it
  int height = 0;          ///< px
  int channels = 0;        ///< 1 gray, 3 color, else bands; alpha is not counted
  int bits = 8;            ///< per sample as stored: 1..16 integer, 32 and 64
  bool is_float = false;   ///< samples are floating-point numbers
  bool has_alpha = false;  ///< an alpha channel follows the others
  int pages = 1;           ///< images in a TIFF file, frames of a DICOM file
};

/** A region in pixels of the decoded image. */
struct PixelBox {
  int left = 0, top = 0, width = 0, height = 0;  ///< px
};

/** Reads the header only. Throws Error{Format} as decode() does. Thread-safe. */
ImageInfo peek(std::span<const std::byte> bytes, const DecodeOptions& options = {});

/** Decodes JPEG, PNG, WebP (first frame), TIFF (one page), GIF (first frame), BMP, PNM, HEIC, AVIF,
 * JPEG XL (first frame), JPEG 2000 or DICOM (one frame, as a viewer shows it) into 8 bits and
 * `channels` channels: 1 (gray by Rec. 601 luma), 3 (RGB), the number the file has (with
 * or without its alpha) or 0 (that number without alpha). Alpha is dropped or laid over
 * options.background, CMYK converted, samples scaled from their range to 0..255 and clipped (16-bit
 * ones that span their type keep their high byte; see to_image()): equal to Pillow's convert("RGB")
 * / convert("L") where Pillow reads the kind of file (but for 16-bit gray, which Pillow clips at
 * 255). Throws Error{Format} with the reason on bytes that are no such image, truncated, larger
 * than options allow, or whose bands are no colors; Error{Usage} on impossible options.
 * Thread-safe. */
Image decode(std::span<const std::byte> bytes, int channels, const DecodeOptions& options = {});

/** The same without loss: the range as 0 to 1, nothing clipped. So 8-bit samples / 255, 16-bit ones
 * / 65,535 and floats as stored, unless the file or options say otherwise. Thread-safe. */
Planes decode_wide(std::span<const std::byte> bytes, int channels,
                   const DecodeOptions& options = {});

/** The samples themselves, not turned; decode() and decode_wide() are made of them. Thread-safe. */
Raster read_raster(std::span<const std::byte> bytes, const DecodeOptions& options = {});

/** Exactly the region `box` of decode()'s result. Of JPEG and TIFF files only what is needed is
 * decoded, and options.max_pixels limits the box instead of the image. Throws as decode(), and
 * Error{Usage} on a box outside the image. Thread-safe. */
Image decode_region(std::span<const std::byte> bytes, const PixelBox& box, int channels,
                    const DecodeOptions& options = {});

/** Reads and decodes a file; messages name the path. Throws Error{Io} where it cannot be read,
 *  Error{Format} as above. */
Image decode_file(const std::filesystem::path& path, int channels,
                  const DecodeOptions& options = {});
Planes decode_file_wide(const std::filesystem::path& path, int channels,
                        const DecodeOptions& options = {});

}  // namespace dino::image
