#include "dino/data/value_check.h"

#include <algorithm>
#include <cmath>

#include "dino/base/error.h"

namespace dino::data {
namespace {

constexpr std::int64_t kLookedAt = 16;    ///< images that tell what a set is like
constexpr double kMuchClipped = 0.01;     ///< share of the samples
constexpr double kFewLevels = 72;         ///< of 256: a quarter of the range holds nearly all
constexpr double kFewLevelsOfBytes = 32;  ///< the same where 8 bits lose nothing

/** "uint1" to "uint8" */
bool is_byte(std::string_view type) {
  return type.starts_with("uint") && type.size() == 5;
}

bool is_integer(std::string_view type) {
  return !type.starts_with("float");
}

/** The levels from the lowest to the highest that nearly all samples become. */
double levels_of(const image::SampleReport& samples) {
  const auto level = [&](double value) {
    const auto& [low, high] = samples.range;
    return 255 * std::clamp((value - low) / (high - low), 0.0, 1.0);
  };
  return level(samples.high) - level(samples.low) + 1;
}

/** A range of round numbers that contains [low, high]. */
image::ValueRange plain_range(double low, double high, std::string_view type) {
  if (low >= 0 && low < 0.75 * high) {
    constexpr double kMost = 4294967296.0;
    for (double white = 1; white < kMost;
         white = is_integer(type) || white > 1 ? 2 * white + 1 : 255)
      if (high <= white * (white == 1 ? 1.05 : 1) && high > white / 4) return {0, white};
  }
  const double width = high - low;
  if (!(width > 0)) return {low - 0.5, low + 0.5};  // all but a few outliers are one value
  const double step = std::pow(10, std::floor(std::log10(width)) - 1);
  constexpr double kRounding = 1e-6;  // of floats that stand for decimal numbers
  return {std::floor(low / step + kRounding) * step, std::ceil(high / step - kRounding) * step};
}

std::string percent(double share) {
  return fmt::format("{:.{}f} %", 100 * share, share < 0.1 ? 2 : 1);
}

std::string setting(const image::SampleReport& samples) {
  const auto [low, high] = plain_range(samples.low, samples.high, samples.type);
  return fmt::format(
      "set data.value_range = [{:.10g}, {:.10g}] (without a recipe --value-range "
      "{:.10g} {:.10g})",
      low, high, low, high);
}

}  // namespace

void ValueTally::add(std::string_view format, const image::SampleReport& report) {
  const auto same = std::ranges::find_if(kinds_, [&](const ValueKind& kind) {
    return kind.format == format && kind.samples.type == report.type &&
           kind.samples.range == report.range;
  });
  const bool has_gaps = report.no_data > 0;
  if (same == kinds_.end()) {
    kinds_.push_back({std::string(format), 1, has_gaps, report});
    return;
  }
  image::SampleReport& all = same->samples;
  const bool had_data = all.no_data < all.samples, has_data = report.no_data < report.samples;
  if (has_data) {
    all.lowest = had_data ? std::min(all.lowest, report.lowest) : report.lowest;
    all.highest = had_data ? std::max(all.highest, report.highest) : report.highest;
    all.low = had_data ? std::min(all.low, report.low) : report.low;
    all.high = had_data ? std::max(all.high, report.high) : report.high;
  }
  ++same->images;
  same->images_with_gaps += has_gaps;
  all.samples += report.samples;
  all.clipped += report.clipped;
  all.no_data += report.no_data;
}

std::vector<std::string> value_advice(std::span<const ValueKind> kinds, bool full_range) {
  std::vector<std::string> advice;
  for (const ValueKind& kind : kinds) {
    const image::SampleReport& samples = kind.samples;
    const std::string what =
        fmt::format("{} {} images of {}", kind.images, kind.format, samples.type);
    const double data =
        static_cast<double>(std::max<std::int64_t>(1, samples.samples - samples.no_data));
    const double clipped = static_cast<double>(samples.clipped) / data;
    const double levels = levels_of(samples);
    const bool has_data = samples.no_data < samples.samples;
    const std::string range = fmt::format(
        "{:.10g} is black and {:.10g} white, but nearly all "
        "samples lie in {:.6g} to {:.6g}",
        samples.range.low, samples.range.high, samples.low, samples.high);
    if (has_data && samples.lowest == samples.highest)
      advice.push_back(fmt::format("{}: all samples are {:.10g}: there is nothing to see", what,
                                   samples.lowest));
    else if (!full_range && has_data && clipped > kMuchClipped)
      advice.push_back(fmt::format("{}: {}: {} of the samples are cut; {}", what, range,
                                   percent(clipped), setting(samples)));
    else if (!full_range && has_data &&
             levels <= (is_byte(samples.type) ? kFewLevelsOfBytes : kFewLevels))
      advice.push_back(fmt::format("{}: {}: {:.0f} of the 256 levels are used; {}", what, range,
                                   std::ceil(levels), setting(samples)));
    if (samples.no_data > 0)
      advice.push_back(fmt::format(
          "{}: {} samples ({}), in {} of the images, are no data (not finite, left out, or the "
          "file's mark) and become black",
          what, samples.no_data,
          percent(static_cast<double>(samples.no_data) / static_cast<double>(samples.samples)),
          kind.images_with_gaps));
  }
  return advice;
}

std::vector<std::string> value_advice(const Dataset& dataset, const image::DecodeOptions& options,
                                      bool full_range) {
  ValueTally tally;
  const std::int64_t count = std::min(kLookedAt, dataset.size());
  for (std::int64_t i = 0; i < count; ++i) try {
      const StoredImage stored = dataset.stored(i * dataset.size() / count);
      const image::Raster raster =
          stored.raster ? *stored.raster : image::read_raster(stored.bytes, options);
      tally.add(stored.samples ? "array" : image::name_of(image::kind_of(stored.bytes)),
                image::report_samples(raster));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
    }
  return value_advice(tally.kinds(), full_range);
}

}  // namespace dino::data
