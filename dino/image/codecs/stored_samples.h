// Integer samples of fewer bits than the memory they lie in, on their way into a Raster.
#pragma once
#include <cstdint>
#include <vector>

#include "dino/image/codecs/codec.h"

namespace dino::image {

/** [height, width, samples] integers as a file has them: 0..2^bits - 1, or -2^(bits - 1) and up. */
struct StoredSamples {
  int width = 0;    ///< px
  int height = 0;   ///< px
  int samples = 0;  ///< per pixel, alpha included
  int bits = 0;     ///< 1..32
  bool is_signed = false;
  bool is_rgb = false;     ///< the first three are red, green and blue
  bool has_alpha = false;  ///< the last one is alpha
  std::vector<std::int32_t> values;
};

/** The file of any of its color spaces as samples of gray, RGB or bands. */
StoredSamples read_jpeg_2000_samples(Bytes bytes, const DecodeOptions& options);

/** JPEG's YCbCr -> RGB, in place, in the first three samples of each pixel. */
void ycc_to_rgb(StoredSamples& stored);

/** The range of what the bits can hold. */
ValueRange range_of(const StoredSamples& stored);

/** The samples as they are, with that range. */
Raster to_raster(const StoredSamples& stored);

}  // namespace dino::image
