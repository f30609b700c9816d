#include "dino/data/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/hash.h"
#include "dino/image/codecs/decode.h"

namespace dino::data {
namespace {

constexpr std::int64_t kFindingsHeld =
    256;  ///< images whose findings are held before they are added up

/** Count, mean and sum of squared differences of some numbers; two of them merge without loss. */
struct Moments {
  double count = 0, mean = 0, squares = 0;

  static Moments of(const float* values, std::size_t size) {
    Moments moments{static_cast<double>(size), 0, 0};
    for (std::size_t i = 0; i < size; ++i) moments.mean += static_cast<double>(values[i]);
    moments.mean /= moments.count;
    for (std::size_t i = 0; i < size; ++i) {
      const double difference = static_cast<double>(values[i]) - moments.mean;
      moments.squares += difference * difference;
    }
    return moments;
  }

  void add(const Moments& other) {
    const double total = count + other.count, difference = other.mean - mean;
    mean += difference * other.count / total;
    squares += other.squares + difference * difference * count * other.count / total;
    count = total;
  }
};

/** The findings of one image. */
struct Finding {
  image::ImageInfo info;
  std::string reason;  ///< why it cannot be read; empty for good ones
  std::int64_t bytes = 0;
  std::uint64_t hash = 0;
  bool is_array = false;
  image::SampleReport samples;
  std::vector<Moments> moments;
};

std::vector<Moments> moments_of(const image::Planes& planes) {
  std::vector<Moments> moments;
  for (int c = 0; c < planes.channels; ++c)
    moments.push_back(Moments::of(planes.plane(c), planes.plane_size()));
  return moments;
}

Finding examine(const Dataset& dataset, std::int64_t index, const SurveyOptions& options) {
  Finding finding;
  try {
    const StoredImage stored = dataset.stored(index);
    finding.is_array = stored.samples.has_value();
    finding.bytes = static_cast<std::int64_t>(stored.bytes.size());
    finding.hash = xxh3_64(stored.bytes);
    finding.info = stored.samples ? *stored.samples : image::peek(stored.bytes, options.decode);
    const image::Raster raster =
        stored.raster ? *stored.raster : image::read_raster(stored.bytes, options.decode);
    finding.samples = image::report_samples(raster);
    const int channels = image::resolve_channels(raster, options.channels);
    if (options.look) options.look(index, raster);
    if (options.statistics)
      finding.moments = moments_of(image::to_planes(raster, channels, options.decode.background));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
    finding.reason = error.what();
  }
  return finding;
}

/** Adds findings up in the order of the set. */
class Tally {
 public:
  explicit Tally(const Dataset& dataset) : dataset_(dataset) { survey_.images = dataset.size(); }

  void add(std::int64_t index, const Finding& finding) {
    ++survey_.examined;
    survey_.bytes += finding.bytes;
    if (!finding.reason.empty()) {
      survey_.bad.push_back({dataset_.name(index), finding.reason});
      return;
    }
    const image::ImageInfo& info = finding.info;
    const std::string format(finding.is_array ? "array" : image::name_of(info.kind));
    ++survey_.formats[format];
    values_.add(format, finding.samples);
    ++survey_.sizes[fmt::format("{}x{}", info.width, info.height)];
    ++survey_.channels[info.channels];
    ++survey_.depths[fmt::format("{}{}", info.bits, info.is_float ? " float" : "")];
    survey_.with_alpha += info.has_alpha;
    survey_.with_pages += info.pages > 1;
    contents_.push_back({{finding.hash, finding.bytes}, index});
    if (finding.moments.empty()) return;
    auto& sums = moments_[static_cast<int>(finding.moments.size())];
    sums.resize(finding.moments.size());
    for (std::size_t c = 0; c < sums.size(); ++c) sums[c].add(finding.moments[c]);
  }

  Survey finish() {
    find_duplicates();
    survey_.values = values_.kinds();
    for (const auto& [channels, sums] : moments_)
      for (const Moments& sum : sums)
        survey_.statistics[channels].push_back({sum.mean, std::sqrt(sum.squares / sum.count)});
    if (!dataset_.class_names().empty()) count_labels();
    survey_.notes = dataset_.notes();
    return std::move(survey_);
  }

 private:
  struct Content {
    std::pair<std::uint64_t, std::int64_t> key;  ///< hash and size
    std::int64_t index = 0;
  };

  void count_labels() {
    for (std::int64_t i = 0; i < dataset_.size(); ++i) {
      const std::int64_t label = dataset_.label(i);
      if (label >= 0) {
        ++survey_.classes[dataset_.class_names()[static_cast<std::size_t>(label)]];
      } else if (survey_.unlabeled++ == 0) {
        survey_.first_unlabeled = dataset_.name(i);
      }
    }
  }

  void find_duplicates() {
    std::ranges::sort(contents_, {}, [](const Content& c) { return std::pair(c.key, c.index); });
    std::vector<std::vector<std::int64_t>> groups;
    for (std::size_t begin = 0, end = 0; begin < contents_.size(); begin = end) {
      std::vector<std::int64_t> group;
      for (; end < contents_.size() && contents_[end].key == contents_[begin].key; ++end)
        group.push_back(contents_[end].index);
      if (group.size() > 1) groups.push_back(std::move(group));
    }
    std::ranges::sort(groups);
    for (const auto& group : groups) {
      auto& names = survey_.duplicates.emplace_back();
      for (const std::int64_t index : group) names.push_back(dataset_.name(index));
    }
  }

  const Dataset& dataset_;
  Survey survey_;
  std::vector<Content> contents_;
  std::map<int, std::vector<Moments>> moments_;
  ValueTally values_;
};

}  // namespace

Survey survey(const Dataset& dataset, const SurveyOptions& options, ThreadPool& pool) {
  if (options.images < 0 || options.channels < 0)
    fail(ErrorKind::Usage, "[survey] images and channels must not be negative: {}, {}",
         options.images, options.channels);
  const std::int64_t count =
      options.images == 0 ? dataset.size() : std::min(options.images, dataset.size());
  const auto index_of = [&](std::int64_t i) { return i * dataset.size() / count; };
  Tally tally(dataset);
  for (std::int64_t begin = 0; begin < count; begin += kFindingsHeld) {
    std::vector<Finding> findings(static_cast<std::size_t>(std::min(kFindingsHeld, count - begin)));
    pool.parallel_for(static_cast<std::int64_t>(findings.size()), [&](std::int64_t i) {
      findings[static_cast<std::size_t>(i)] = examine(dataset, index_of(begin + i), options);
    });
    for (std::size_t i = 0; i < findings.size(); ++i)
      tally.add(index_of(begin + static_cast<std::int64_t>(i)), findings[i]);
  }
  return tally.finish();
}

}  // namespace dino::data
