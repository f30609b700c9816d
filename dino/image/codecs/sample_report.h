// Statistics of an image's stored samples and how many its range clips, for users who have to
// choose the values of black and white.
#pragma once
#include <cstdint>
#include <string>

#include "dino/image/codecs/raster.h"

namespace dino::image {

/** Statistics over all samples but alpha; values are stored values. */
struct SampleReport {
  std::string type;                ///< "uint16", "float32"
  ValueRange range;                ///< black and white
  bool range_given = false;        ///< the range is the user's, not the file's
  std::int64_t samples = 0;        ///< number of samples
  std::int64_t clipped = 0;        ///< number outside the range
  std::int64_t no_data = 0;        ///< number marked as missing, not finite or absent from the file
  double lowest = 0, highest = 0;  ///< of the valid samples; equal if there are none
  double low = 0, high = 0;        ///< the 0.1% and 99.9% quantiles of the valid samples
};

SampleReport report_samples(const Raster& raster);

}  // namespace dino::image
