// What the samples of an image are, and what its range leaves of them: for people who have to say
// which values are black and white.
#pragma once
#include <cstdint>
#include <string>

#include "dino/image/codecs/raster.h"

namespace dino::image {

/** All numbers are stored values; alpha is not counted. */
struct SampleReport {
  std::string type;                ///< "uint16", "float32"
  ValueRange range;                ///< black and white
  bool range_given = false;        ///< by the user, not by the file or its type
  std::int64_t samples = 0;        ///< all of them
  std::int64_t clipped = 0;        ///< outside the range
  std::int64_t no_data = 0;        ///< by the file's mark, no finite numbers, left out by the file
  double lowest = 0, highest = 0;  ///< of those that are data; equal where there are none
  double low = 0, high = 0;        ///< the same without the outermost thousandth on each side
};

SampleReport report_samples(const Raster& raster);

}  // namespace dino::image
