// Checks whether the images of a data set lose information by their range of values or by 8 bits,
// and suggests settings.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/data/sources/dataset.h"
#include "dino/image/codecs/sample_report.h"

namespace dino::data {

/** Statistics of the samples of many images of one format, sample type and range. */
struct ValueKind {
  std::string format;  ///< "tiff", "array", ...
  std::int64_t images = 0;
  std::int64_t images_with_gaps = 0;  ///< images with missing samples
  image::SampleReport samples;        ///< merged: summed counts, widest limits
};

/** Merges reports of equal format, sample type and range. */
class ValueTally {
 public:
  void add(std::string_view format, const image::SampleReport& report);
  /** In the order in which each kind first occurred. */
  const std::vector<ValueKind>& kinds() const { return kinds_; }

 private:
  std::vector<ValueKind> kinds_;
};

/** Advice in sentences with the setting to change: if much is clipped, if samples use few of the
 * 256 levels (neither with `full_range`), and if samples are missing. */
std::vector<std::string> value_advice(std::span<const ValueKind> kinds, bool full_range);

/** Advice from a sample of images spread over the data set, read with `options`. Unreadable images
 * are skipped. */
std::vector<std::string> value_advice(const Dataset& dataset, const image::DecodeOptions& options,
                                      bool full_range);

}  // namespace dino::data
