// What the fuzz targets of image formats share. Seeds: tests/golden/image.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "dino/base/error.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/codecs/sample_report.h"

namespace dino::image {

/** Any bytes of this kind give an image, planes and a region of the size peek() tells, or
 * Error{Format}. */
inline void fuzz(ImageKind kind, const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (kind_of(bytes) != kind) return;
  for (const int channels : {0, 1, 3}) try {
      DecodeOptions options{.max_pixels = 1 << 15};
      if (channels == 3) options.background = {255, 0, 128};
      const Image whole = decode(bytes, channels, options);
      const ImageInfo info = peek(bytes, options);
      if (info.width != whole.width || info.height != whole.height) __builtin_trap();
      if (decode_wide(bytes, channels, options).values.size() != whole.pixels.size())
        __builtin_trap();
      const PixelBox box{whole.width / 3, whole.height / 2, whole.width - whole.width / 3, 1};
      decode_region(bytes, box, channels, options);
      decode(bytes, channels, {.max_pixels = 1 << 15, .upright = false, .jpeg_shrink = 4});
      options.value_range = ValueRange{-3.5, 40};
      if (decode(bytes, channels, options).pixels.size() != whole.pixels.size()) __builtin_trap();
      const SampleReport report = report_samples(read_raster(bytes, options));
      if (report.clipped + report.no_data > report.samples) __builtin_trap();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Format) throw;
    }
}

}  // namespace dino::image
