// Chooses the decoder and limits memory: nothing is allocated for pixels that the file cannot
// contain or, if the format has no such bound, only a limited amount.
#include "dino/image/codecs/decode.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "dino/base/byte_source.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/image/codecs/codec.h"
#include "dino/image/codecs/orientation.h"

namespace dino::image {
namespace {

[[noreturn]] void fail_unknown(Bytes bytes) {
  fail(ErrorKind::Format,
       "[decode] not a JPEG, PNG, WebP, TIFF, GIF, BMP, PNM, HEIC, AVIF, JPEG XL, JPEG 2000 or "
       "DICOM image: the bytes look like {}",
       describe(bytes));
}

ImageInfo peek_stored(Bytes bytes, const DecodeOptions& options) {
  const ImageKind kind = kind_of(bytes);
  switch (kind) {
    case ImageKind::Jpeg:
      return peek_jpeg(bytes, options);
    case ImageKind::Png:
      return peek_png(bytes, options);
    case ImageKind::WebP:
      return peek_webp(bytes, options);
    case ImageKind::Tiff:
      return peek_tiff(bytes, options);
    case ImageKind::Gif:
      return peek_gif(bytes, options);
    case ImageKind::Bmp:
      return peek_bmp(bytes, options);
    case ImageKind::Pnm:
      return peek_pnm(bytes, options);
    case ImageKind::Heic:
    case ImageKind::Avif:
      return peek_heif(bytes, kind, options);
    case ImageKind::JpegXl:
      return peek_jpeg_xl(bytes, options);
    case ImageKind::Jpeg2000:
      return peek_jpeg_2000(bytes, options);
    case ImageKind::Dicom:
      return peek_dicom(bytes, options);
    case ImageKind::Unknown:
      break;
  }
  fail_unknown(bytes);
}

Raster read_jpeg(Bytes bytes, const DecodeOptions& options, const PixelBox* part) {
  Image image = decode_jpeg(bytes, peek_jpeg(bytes, {}).channels, options, part);
  return {.width = image.width,
          .height = image.height,
          .samples = image.channels,
          .is_rgb = image.channels == 3,
          .values = std::move(image.pixels)};
}

/** `part`: of JPEG and TIFF files. */
Raster read_stored(Bytes bytes, ImageKind kind, const DecodeOptions& options,
                   const PixelBox* part) {
  switch (kind) {
    case ImageKind::Jpeg:
      return read_jpeg(bytes, options, part);
    case ImageKind::Png:
      return read_png(bytes, options);
    case ImageKind::WebP:
      return read_webp(bytes, options);
    case ImageKind::Tiff:
      return read_tiff(bytes, options, part);
    case ImageKind::Gif:
      return read_gif(bytes, options);
    case ImageKind::Bmp:
      return read_bmp(bytes, options);
    case ImageKind::Pnm:
      return read_pnm(bytes, options);
    case ImageKind::Heic:
    case ImageKind::Avif:
      return read_heif(bytes, kind, options);
    case ImageKind::JpegXl:
      return read_jpeg_xl(bytes, options);
    case ImageKind::Jpeg2000:
      return read_jpeg_2000(bytes, options);
    case ImageKind::Dicom:
      return read_dicom(bytes, options);
    default:
      fail_unknown(bytes);
  }
}

Raster read(Bytes bytes, ImageKind kind, const DecodeOptions& options,
            const PixelBox* part = nullptr) {
  Raster raster = read_stored(bytes, kind, options, part);
  raster.given = options.value_range;
  return raster;
}

int orientation(Bytes bytes, ImageKind kind, const DecodeOptions& options) {
  if (!options.upright) return 1;
  return kind == ImageKind::Tiff ? orientation_of_tiff(bytes, options)
                                 : orientation_of(bytes, kind);
}

void check_options(int channels, const DecodeOptions& options) {
  if (channels < 0) fail(ErrorKind::Usage, "[decode] channels must not be negative: {}", channels);
  const int shrink = options.jpeg_shrink;
  if (shrink != 1 && shrink != 2 && shrink != 4 && shrink != 8)
    fail(ErrorKind::Usage, "[decode] jpeg_shrink must be 1, 2, 4 or 8: {}", shrink);
  if (options.page < 0)
    fail(ErrorKind::Usage, "[decode] page must not be negative: {}", options.page);
  if (const auto& range = options.value_range; range && !is_valid(*range))
    fail(ErrorKind::Usage, "[decode] value_range must be two numbers, the low one first: {}, {}",
         range->low, range->high);
}

/** The number of channels for decode_jpeg(), which only has gray and RGB. */
int jpeg_channels(Bytes bytes, int channels) {
  if (channels == 1 || channels == 3) return channels;
  const int held = peek_jpeg(bytes, {}).channels;
  if (channels == 0) return held;
  fail(ErrorKind::Format, "[decode] a JPEG image with {} channels cannot give {}; ask for 1 or 3",
       held, channels);
}

Image decode_stored(Bytes bytes, ImageKind kind, int channels, const DecodeOptions& options) {
  const bool as_stored = !options.value_range;
  if (kind == ImageKind::Jpeg && as_stored)
    return decode_jpeg(bytes, jpeg_channels(bytes, channels), options);
  if (kind == ImageKind::Png && as_stored && (channels == 1 || channels == 3) &&
      !options.background)
    return decode_png(bytes, channels, options);
  return to_image(read(bytes, kind, options), channels, options.background);
}

Image cut(const Image& image, const PixelBox& box) {
  Image out(box.width, box.height, image.channels);
  for (int y = 0; y < box.height; ++y)
    std::copy_n(image.row(box.top + y) + box.left * image.channels, out.row_bytes(), out.row(y));
  return out;
}

/** Runs `decoder` on the bytes of a file; messages name the path. */
template <typename Decoder>
auto with_path(const std::filesystem::path& path, const Decoder& decoder) {
  const std::vector<std::byte> bytes = read_regular_file(path);
  try {
    return decoder(bytes);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{} ({})", error.what(), printable(path)));
  }
}

}  // namespace

void check_size(std::int64_t width, std::int64_t height, std::size_t bytes_needed, Bytes bytes,
                const DecodeOptions& options) {
  // Run lengths, canvases and flat blocks can stand for any number of pixels. Images up to 16
  // megapixels are always accepted; larger ones must have at least this many bytes.
  constexpr std::int64_t kBelievedPixels = std::int64_t{1} << 24, kMostPixelsPerByte = 4096;
  if (width < 1 || height < 1 || height > options.max_pixels / width)
    fail(ErrorKind::Format, "[decode] image of {} x {} px is empty or above the limit of {} px",
         width, height, options.max_pixels);
  if (bytes.size() < bytes_needed)
    fail(ErrorKind::Format, "[decode] truncated: {} bytes cannot hold {} x {} px", bytes.size(),
         width, height);
  if (width * height > kBelievedPixels &&
      static_cast<std::size_t>(width * height / kMostPixelsPerByte) > bytes.size())
    fail(ErrorKind::Format,
         "[decode] image of {} x {} px in {} bytes is above the limit of {} px per byte", width,
         height, bytes.size(), kMostPixelsPerByte);
}

void fail_damaged(std::string_view format, std::string_view what) {
  fail(ErrorKind::Format, "[decode] damaged or truncated {}: {}", format, what);
}

ImageInfo peek(Bytes bytes, const DecodeOptions& options) {
  check_options(0, options);
  ImageInfo info = peek_stored(bytes, options);
  if (swaps_sides(orientation(bytes, info.kind, options))) std::swap(info.width, info.height);
  return info;
}

Image decode(Bytes bytes, int channels, const DecodeOptions& options) {
  check_options(channels, options);
  const ImageKind kind = kind_of(bytes);
  Image image = decode_stored(bytes, kind, channels, options);
  return upright(std::move(image), orientation(bytes, kind, options));
}

Planes decode_wide(Bytes bytes, int channels, const DecodeOptions& options) {
  check_options(channels, options);
  const ImageKind kind = kind_of(bytes);
  Planes planes = kind == ImageKind::Jpeg && !options.value_range
                      ? to_planes(decode_jpeg(bytes, jpeg_channels(bytes, channels), options))
                      : to_planes(read(bytes, kind, options), channels, options.background);
  return upright(std::move(planes), orientation(bytes, kind, options));
}

Image decode_region(Bytes bytes, const PixelBox& box, int channels, const DecodeOptions& options) {
  check_options(channels, options);
  const ImageInfo info = peek(bytes, options);
  if (box.left < 0 || box.top < 0 || box.width < 1 || box.height < 1 ||
      box.left > info.width - box.width || box.top > info.height - box.height)
    fail(ErrorKind::Usage,
         "[decode] region of {} x {} px at ({}, {}) outside an image of {} x {} px", box.width,
         box.height, box.left, box.top, info.width, info.height);
  if ((info.kind != ImageKind::Jpeg && info.kind != ImageKind::Tiff) || options.jpeg_shrink != 1 ||
      options.jpeg_min_side > 0)
    return cut(decode(bytes, channels, options), box);
  const int turned = orientation(bytes, info.kind, options);
  const bool swap = swaps_sides(turned);
  const PixelBox stored =
      stored_box(box, swap ? info.height : info.width, swap ? info.width : info.height, turned);
  return upright(
      info.kind == ImageKind::Jpeg && !options.value_range
          ? decode_jpeg(bytes, jpeg_channels(bytes, channels), options, &stored)
          : to_image(read(bytes, info.kind, options, &stored), channels, options.background),
      turned);
}

Raster read_raster(Bytes bytes, const DecodeOptions& options) {
  check_options(0, options);
  return read(bytes, kind_of(bytes), options);
}

Image decode_file(const std::filesystem::path& path, int channels, const DecodeOptions& options) {
  return with_path(path, [&](Bytes bytes) { return decode(bytes, channels, options); });
}

Planes decode_file_wide(const std::filesystem::path& path, int channels,
                        const DecodeOptions& options) {
  return with_path(path, [&](Bytes bytes) { return decode_wide(bytes, channels, options); });
}

}  // namespace dino::image
