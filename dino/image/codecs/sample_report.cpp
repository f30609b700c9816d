#include "dino/image/codecs/sample_report.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace dino::image {
namespace {

constexpr std::size_t kMostSorted = 1 << 16;  ///< samples that tell the outermost thousandths

/** Sets report.low and high to the 0.1% and 99.9% quantiles of the sampled values. */
void find_quantiles(std::vector<double>& some, SampleReport& report) {
  if (some.empty()) return;
  // From 100 samples on, skips at least one, since it may be an outlier.
  const std::size_t share = some.size() / 1000;
  const auto edge =
      static_cast<std::ptrdiff_t>(some.size() < 100 ? 0 : std::max<std::size_t>(1, share));
  std::ranges::nth_element(some, some.begin() + edge);
  report.low = some[static_cast<std::size_t>(edge)];
  std::ranges::nth_element(some, some.end() - 1 - edge);
  report.high = some[some.size() - 1 - static_cast<std::size_t>(edge)];
}

template <typename Stored>
void report_values(const Raster& raster, const std::vector<Stored>& values, SampleReport& report) {
  const auto samples = static_cast<std::size_t>(raster.samples);
  const auto bands = static_cast<std::size_t>(raster.bands());
  const std::size_t step = std::max<std::size_t>(1, values.size() / kMostSorted);
  const NoData<Stored> is_empty(raster);
  std::vector<double> some;
  bool any = false;
  for (std::size_t i = 0, next = 0; i < values.size(); ++i) {
    const std::size_t band = i % samples;
    if (band >= bands) continue;
    ++report.samples;
    const auto value = static_cast<double>(values[i]);
    if (is_empty(values.data() + (i - band), static_cast<int>(band))) {
      ++report.no_data;
      continue;
    }
    report.clipped += value < report.range.low || value > report.range.high;
    report.lowest = any ? std::min(report.lowest, value) : value;
    report.highest = any ? std::max(report.highest, value) : value;
    any = true;
    if (i < next) continue;
    some.push_back(value);
    next = i + step;
  }
  find_quantiles(some, report);
}

}  // namespace

SampleReport report_samples(const Raster& raster) {
  SampleReport report{.type = std::string(raster.type_name()),
                      .range = raster.range(),
                      .range_given = raster.given.has_value(),
                      .no_data = raster.missing};
  std::visit([&](const auto& values) { report_values(raster, values, report); }, raster.values);
  // Missing integer samples are stored as 0, and may be alpha.
  report.no_data = std::min(report.no_data, report.samples);
  report.clipped = std::min(report.clipped, report.samples - report.no_data);
  return report;
}

}  // namespace dino::image
