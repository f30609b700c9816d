// The functions by which decode() reads each image format. A new format needs a pair of them and a
// line in decode.cpp.
#pragma once
#include <cstddef>
#include <string_view>

#include "dino/image/codecs/byte_reader.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/codecs/raster.h"

namespace dino::image {

/** These read headers. Sizes are as stored, before the orientation is applied. All functions of
 * this file throw Error{Format} on damaged bytes and are thread-safe. */
ImageInfo peek_jpeg(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_png(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_webp(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_tiff(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_gif(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_bmp(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_pnm(Bytes bytes, const DecodeOptions& options);
/** `kind` is Heic or Avif. */
ImageInfo peek_heif(Bytes bytes, ImageKind kind, const DecodeOptions& options);
ImageInfo peek_jpeg_xl(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_jpeg_2000(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_dicom(Bytes bytes, const DecodeOptions& options);

/** These read samples as stored, without applying the orientation. */
Raster read_png(Bytes bytes, const DecodeOptions& options);
Raster read_webp(Bytes bytes, const DecodeOptions& options);
Raster read_gif(Bytes bytes, const DecodeOptions& options);
Raster read_bmp(Bytes bytes, const DecodeOptions& options);
Raster read_pnm(Bytes bytes, const DecodeOptions& options);
/** Rotated and mirrored as the file says: in HEIF that is part of the image, not a tag. */
Raster read_heif(Bytes bytes, ImageKind kind, const DecodeOptions& options);
/** The orientation is applied if options.upright. */
Raster read_jpeg_xl(Bytes bytes, const DecodeOptions& options);
Raster read_jpeg_2000(Bytes bytes, const DecodeOptions& options);
/** Reads frame options.page. */
Raster read_dicom(Bytes bytes, const DecodeOptions& options);
/** Reads the region `part`, or everything if it is null. */
Raster read_tiff(Bytes bytes, const DecodeOptions& options, const PixelBox* part = nullptr);
/** The orientation tag of page options.page, 1 to 8. */
int orientation_of_tiff(Bytes bytes, const DecodeOptions& options);

/** These decode directly to 8 bits and 1 or 3 channels. `holds_rgb`: three components are RGB
 * instead of YCbCr if the file has no marker that says which. */
Image decode_jpeg(Bytes bytes, int channels, const DecodeOptions& options,
                  const PixelBox* part = nullptr, bool holds_rgb = false);
Image decode_png(Bytes bytes, int channels, const DecodeOptions& options);

/** Throws Error{Format} unless the size is within options.max_pixels and there are at least
 * `bytes_needed` bytes (the least that a whole file of this size takes) and, above 2^24 px, a byte
 * per 4,096 px. Call it before allocating memory for the pixels. */
void check_size(std::int64_t width, std::int64_t height, std::size_t bytes_needed, Bytes bytes,
                const DecodeOptions& options);

/** Throws Error{Format} with "[decode] damaged or truncated FORMAT: what". */
[[noreturn]] void fail_damaged(std::string_view format, std::string_view what);

}  // namespace dino::image
