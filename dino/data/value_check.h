// Whether the pictures of a data set survive their range of values and 8 bits, and what to set if
// they do not.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/data/sources/dataset.h"
#include "dino/image/codecs/sample_report.h"

namespace dino::data {

/** The samples of one kind, in many images. */
struct ValueKind {
  std::string format;  ///< "tiff", "array", ...
  std::int64_t images = 0;
  std::int64_t images_with_gaps = 0;  ///< in which samples are no data
  image::SampleReport samples;        ///< of all of them: counts added up, the widest limits
};

/** Adds up reports of one format, type of sample and range. */
class ValueTally {
 public:
  void add(std::string_view format, const image::SampleReport& report);
  /** In the order of their first images. */
  const std::vector<ValueKind>& kinds() const { return kinds_; }

 private:
  std::vector<ValueKind> kinds_;
};

/** Sentences with the setting that would help: where much is clipped, where the samples take up few
 * of the 256 levels (neither with `full_range`, which keeps them), and where samples are no data.
 */
std::vector<std::string> value_advice(std::span<const ValueKind> kinds, bool full_range);

/** The same of some images spread over the data set, read as `options` say. Images that cannot be
 * read are passed over. */
std::vector<std::string> value_advice(const Dataset& dataset, const image::DecodeOptions& options,
                                      bool full_range);

}  // namespace dino::data
