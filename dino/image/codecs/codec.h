// What decode() asks of each image format. A new format is one more pair of functions and a line in
// decode.cpp.
#pragma once
#include <cstddef>
#include <string_view>

#include "dino/image/codecs/byte_reader.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/codecs/raster.h"

namespace dino::image {

/** Headers. Sizes are those stored, before turning. */
ImageInfo peek_jpeg(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_png(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_webp(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_tiff(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_gif(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_bmp(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_pnm(Bytes bytes, const DecodeOptions& options);
/** Of the two kinds of HEIF files, HEIC and AVIF. */
ImageInfo peek_heif(Bytes bytes, ImageKind kind, const DecodeOptions& options);
ImageInfo peek_jpeg_xl(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_jpeg_2000(Bytes bytes, const DecodeOptions& options);
ImageInfo peek_dicom(Bytes bytes, const DecodeOptions& options);

/** Samples as stored, not turned. */
Raster read_png(Bytes bytes, const DecodeOptions& options);
Raster read_webp(Bytes bytes, const DecodeOptions& options);
Raster read_gif(Bytes bytes, const DecodeOptions& options);
Raster read_bmp(Bytes bytes, const DecodeOptions& options);
Raster read_pnm(Bytes bytes, const DecodeOptions& options);
/** Turned and mirrored as the file says: the format has that in its image, not in a tag. */
Raster read_heif(Bytes bytes, ImageKind kind, const DecodeOptions& options);
/** Turned if options.upright. */
Raster read_jpeg_xl(Bytes bytes, const DecodeOptions& options);
Raster read_jpeg_2000(Bytes bytes, const DecodeOptions& options);
/** Frame options.page. */
Raster read_dicom(Bytes bytes, const DecodeOptions& options);
/** `part`: what to read; all if null. */
Raster read_tiff(Bytes bytes, const DecodeOptions& options, const PixelBox* part = nullptr);
/** The orientation tag of options.page. */
int orientation_of_tiff(Bytes bytes, const DecodeOptions& options);

/** Straight into 8 bits and 1 or 3 channels. `holds_rgb`: three components are RGB and not YCbCr
 * where no marker says which. */
Image decode_jpeg(Bytes bytes, int channels, const DecodeOptions& options,
                  const PixelBox* part = nullptr, bool holds_rgb = false);
Image decode_png(Bytes bytes, int channels, const DecodeOptions& options);

/** Throws Error{Format} unless the size is within options, `bytes_needed` (the least a whole file
 * of this size takes) are there and, above 2^24 px, a byte for each 4,096 px: called before
 * anything is allocated for the pixels. */
void check_size(std::int64_t width, std::int64_t height, std::size_t bytes_needed, Bytes bytes,
                const DecodeOptions& options);

/** Throws Error{Format}: "[decode] damaged or truncated FORMAT: what". */
[[noreturn]] void fail_damaged(std::string_view format, std::string_view what);

}  // namespace dino::image
