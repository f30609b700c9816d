// Decoded integer samples of up to 32 bits, before they become a Raster.
#pragma once
#include <cstdint>
#include <vector>

#include "dino/image/codecs/codec.h"

namespace dino::image {

/** Stored samples [height, width, samples], interleaved, each in [0, 2^bits) or, if signed, in
 * [-2^(bits - 1), 2^(bits - 1)). */
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

/** Reads a JPEG 2000 file and converts its color space to gray or RGB; other bands are kept. Throws
 * Error{Format}. */
StoredSamples read_jpeg_2000_samples(Bytes bytes, const DecodeOptions& options);

/** Converts the first three samples of each pixel from JPEG's YCbCr to RGB, in place. */
void ycc_to_rgb(StoredSamples& stored);

/** The range of values that `bits` and `is_signed` allow. */
ValueRange range_of(const StoredSamples& stored);

/** Converts to a Raster with the same values, with range_of() as the declared range. */
Raster to_raster(const StoredSamples& stored);

}  // namespace dino::image
