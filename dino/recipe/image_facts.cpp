#include "dino/recipe/image_facts.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/survey.h"

namespace dino::recipe {
namespace {

constexpr std::int64_t kMostDecoded = 200;   ///< images
constexpr std::int64_t kFewestDecoded = 24;  ///< images, however large
constexpr double kDecodedPixels = 60e6;      ///< in all; about two seconds of PNG on a core
constexpr double kTolerated = 0.5;           ///< share of bad images above which nothing is chosen
constexpr double kMost = 0.9;                ///< share that stands for "nearly all"
constexpr std::array<std::uint8_t, 3> kWhite = {255, 255, 255};

/** Sums over the pixels of one channel. */
struct Sums {
  double count = 0, sum = 0, squares = 0;
  void add(double value) {
    ++count;
    sum += value;
    squares += value * value;
  }
  void add(const Sums& other) {
    count += other.count;
    sum += other.sum;
    squares += other.squares;
  }
};

/** What one image shows. */
struct Look {
  int width = 0, height = 0, bands = 0;
  bool is_wide = false;             ///< see ImageFacts::full_range
  bool is_gray = false;             ///< one band, or three equal ones
  bool is_plain = false;            ///< nearly all of its border has one color
  Sums gray = {};                   ///< of its luma
  std::vector<Sums> channels = {};  ///< of red, green, blue, or the bands
};

double mean_of(const Sums& s) {
  return s.sum / std::max(s.count, 1.0);
}

double deviation_of(const Sums& s) {
  const double mean = mean_of(s);
  return std::sqrt(std::max(s.squares / std::max(s.count, 1.0) - mean * mean, 0.0));
}

int level_range(const std::uint8_t* pixel) {
  const auto [low, high] = std::minmax({pixel[0], pixel[1], pixel[2]});
  return high - low;
}

/** Whether the outermost pixels have nearly all the color of most of them, up to JPEG's noise. */
bool has_plain_border(const image::Image& rgb) {
  constexpr int kNear = 12;
  std::vector<const std::uint8_t*> border;
  for (int x = 0; x < rgb.width; ++x) {
    border.push_back(rgb.row(0) + 3 * x);
    border.push_back(rgb.row(rgb.height - 1) + 3 * x);
  }
  for (int y = 0; y < rgb.height; ++y) {
    border.push_back(rgb.row(y));
    border.push_back(rgb.row(y) + 3 * (rgb.width - 1));
  }
  std::array<int, 3> median{};
  for (std::size_t c = 0; c < 3; ++c) {
    std::vector<std::uint8_t> levels;
    for (const std::uint8_t* pixel : border) levels.push_back(pixel[c]);
    std::ranges::nth_element(levels,
                             levels.begin() + static_cast<std::ptrdiff_t>(levels.size() / 2));
    median[c] = levels[levels.size() / 2];
  }
  const auto near = std::ranges::count_if(border, [&](const std::uint8_t* pixel) {
    return std::abs(pixel[0] - median[0]) <= kNear && std::abs(pixel[1] - median[1]) <= kNear &&
           std::abs(pixel[2] - median[2]) <= kNear;
  });
  return static_cast<double>(near) >= kMost * static_cast<double>(border.size());
}

/** Fills in what the colors of an 8-bit image tell. */
void look_at_colors(const image::Raster& raster, Look& look) {
  constexpr int kNoise = 12;  // levels between equal channels after JPEG's chroma
  constexpr double kAllButFew = 0.995;
  const image::Image rgb =
      image::to_image(raster, 3, raster.has_alpha ? image::Background(kWhite) : std::nullopt);
  look.channels.resize(3);
  std::size_t gray = 0;
  for (std::size_t i = 0; i < rgb.pixels.size(); i += 3) {
    const std::uint8_t* pixel = &rgb.pixels[i];
    gray += level_range(pixel) <= kNoise;
    for (std::size_t c = 0; c < 3; ++c) look.channels[c].add(pixel[c] / 255.0);
    look.gray.add((0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]) / 255.0);
  }
  look.is_gray = static_cast<double>(gray) >= kAllButFew * look.gray.count;
  look.is_plain = has_plain_border(rgb);
}

void look_at_bands(const image::Raster& raster, Look& look) {
  const image::Planes planes = image::to_planes(raster, raster.bands(), std::nullopt);
  for (int c = 0; c < planes.channels; ++c) {
    Sums& sums = look.channels.emplace_back();
    for (std::size_t i = 0; i < planes.plane_size(); ++i)
      sums.add(static_cast<double>(planes.plane(c)[i]));
  }
  look.is_gray = look.bands == 1;
  if (look.is_gray) look.gray = look.channels[0];
}

Look look_at(const image::Raster& raster) {
  Look look{.width = raster.width, .height = raster.height, .bands = raster.bands()};
  const bool bytes = std::holds_alternative<std::vector<std::uint8_t>>(raster.values);
  look.is_wide = !bytes || (look.bands != 1 && !(raster.is_rgb && look.bands == 3));
  if (look.is_wide)
    look_at_bands(raster, look);
  else
    look_at_colors(raster, look);
  return look;
}

/** Images to decode: their headers say how large they are. */
std::int64_t sample_size(const data::Dataset& dataset) {
  constexpr std::int64_t kPeeked = 16;
  const std::int64_t count = std::min(kPeeked, dataset.size());
  double pixels = 0;
  for (std::int64_t i = 0; i < count; ++i) try {
      const data::StoredImage stored = dataset.stored(i * dataset.size() / count);
      const image::ImageInfo info = stored.samples ? *stored.samples : image::peek(stored.bytes);
      pixels += static_cast<double>(info.width) * info.height;
    } catch (const Error&) {  // a bad one; the survey counts it
    }
  const double mean = std::max(1.0, pixels / static_cast<double>(count));
  return std::clamp(static_cast<std::int64_t>(kDecodedPixels / mean), kFewestDecoded, kMostDecoded);
}

int median(std::vector<int> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

template <typename Predicate>
double share(const std::vector<Look>& looks, Predicate&& predicate) {
  return static_cast<double>(std::ranges::count_if(looks, predicate)) /
         static_cast<double>(looks.size());
}

/** The number of bands that nearly all images have; gray and color images count as color. */
int common_bands(const std::string& source, const std::vector<Look>& looks) {
  std::map<int, std::int64_t> counts;
  const bool any_color = std::ranges::any_of(looks, [](const Look& l) { return l.bands == 3; });
  for (const Look& look : looks) ++counts[look.bands == 1 && any_color ? 3 : look.bands];
  const auto most = std::ranges::max_element(counts, {}, [](const auto& c) { return c.second; });
  if (static_cast<double>(most->second) < kMost * static_cast<double>(looks.size())) {
    std::vector<std::string> found;
    for (const auto& [bands, images] : counts)
      found.push_back(fmt::format("{} with {}", images, bands));
    fail(
        ErrorKind::Data,
        "[recipe] the images of {} have different numbers of bands ({}), and a network is made for "
        "one; put each kind in a folder of its own",
        printable(source), fmt::join(found, ", "));
  }
  return most->first;
}

void set_statistics(const std::vector<Look>& looks, ImageFacts& facts) {
  const auto bands = static_cast<std::size_t>(facts.channels);
  std::vector<Sums> sums(bands);
  for (const Look& look : looks) {
    if (bands == 1)
      sums[0].add(look.gray);
    else if (look.channels.size() == bands)
      for (std::size_t c = 0; c < bands; ++c) sums[c].add(look.channels[c]);
  }
  constexpr double kFlat = 1e-9;  // a set of one color must not be divided by its deviation of 0
  for (const Sums& s : sums) {
    facts.mean.push_back(mean_of(s));
    facts.std.push_back(deviation_of(s) > kFlat ? deviation_of(s) : 1);
  }
}

/** Names of folders that divide a set for another purpose than to tell what is shown. */
bool is_part(const std::string& folder) {
  constexpr std::array<std::string_view, 10> kParts = {"train", "training", "test",       "testing",
                                                       "val",   "valid",    "validation", "dev",
                                                       "eval",  "images"};
  return std::ranges::find(kParts, folder) != kParts.end();
}

/** Folders (or labels) that look like classes: at least two, each with several images. */
void set_classes(const data::Survey& survey, ImageFacts& facts) {
  constexpr std::int64_t kSeveral = 5, kShown = 3;
  std::int64_t labeled = 0, smallest = survey.images;
  std::vector<std::string> names;
  for (const auto& [name, images] : survey.classes) {
    if (images < kSeveral || is_part(name)) continue;
    labeled += images;
    smallest = std::min(smallest, images);
    names.push_back(name);
  }
  const double used = static_cast<double>(labeled) / static_cast<double>(survey.images);
  if (names.size() < 2 || (survey.unlabeled == 0 && used < kMost)) return;
  facts.classes = static_cast<std::int64_t>(names.size());
  facts.labeled = labeled;
  facts.smallest_class = smallest;
  const bool more = facts.classes > kShown;
  if (more) names.resize(kShown);
  facts.class_examples = fmt::format("{}{}", fmt::join(names, ", "), more ? ", ..." : "");
}

void check_readable(const std::string& source, const data::Survey& survey) {
  const auto bad = static_cast<std::int64_t>(survey.bad.size());
  if (static_cast<double>(bad) <= kTolerated * static_cast<double>(survey.examined)) return;
  const std::int64_t good = survey.examined - bad;
  fail(ErrorKind::Data,
       "[recipe] {} of the {} images of {} that were tried can be read; the first bad one: {}: {}; "
       "'dino inspect data' lists all",
       good == 0 ? "none" : fmt::format("only {}", good), survey.examined, printable(source),
       printable(survey.bad[0].name), survey.bad[0].reason);
}

/** Decodes the sample; `looks` receives what can be read, in the order of the set, so that sums do
 * not depend on threads. */
data::Survey survey_sample(const data::Dataset& dataset, ThreadPool& pool,
                           std::vector<Look>& looks) {
  std::map<std::int64_t, Look> found;
  std::mutex mutex;
  data::Survey survey = data::survey(dataset,
                                     {.images = sample_size(dataset),
                                      .look =
                                          [&](std::int64_t index, const image::Raster& raster) {
                                            Look look = look_at(raster);
                                            const std::lock_guard lock(mutex);
                                            found.emplace(index, std::move(look));
                                          }},
                                     pool);
  for (auto& [index, look] : found) looks.push_back(std::move(look));
  return survey;
}

void set_sizes(const std::vector<Look>& looks, ImageFacts& facts) {
  std::vector<int> widths, heights;
  for (const Look& look : looks) {
    widths.push_back(look.width);
    heights.push_back(look.height);
  }
  facts.width = median(std::move(widths));
  facts.height = median(std::move(heights));
}

void set_kind(const std::vector<Look>& looks, const data::Survey& survey, ImageFacts& facts) {
  constexpr double kHalf = 0.5;
  facts.channels = common_bands(facts.source, looks);
  facts.full_range = share(looks, [](const Look& l) { return l.is_wide; }) > kHalf ||
                     (facts.channels != 1 && facts.channels != 3);
  if (!facts.full_range && share(looks, [](const Look& l) { return l.is_gray; }) == 1)
    facts.channels = 1;
  facts.plain_ground = share(looks, [](const Look& l) { return l.is_plain; }) > kHalf;
  const auto half = static_cast<std::int64_t>(looks.size()) / 2;
  facts.transparent = survey.with_alpha > 0;
  const auto jpeg = survey.formats.find("jpeg");
  facts.mostly_jpeg = jpeg != survey.formats.end() && jpeg->second > half;
}

}  // namespace

ImageFacts survey_images(const std::string& source, const data::Dataset& dataset,
                         ThreadPool& pool) {
  ImageFacts facts{.source = source, .images = dataset.size()};
  if (facts.images < kFewestImages)
    fail(ErrorKind::Data,
         "[recipe] {} has {} image{}; at least {} are needed, better some hundred: a network sees "
         "fewer so often that it learns them by heart, and nothing that others share",
         printable(source), facts.images, facts.images == 1 ? "" : "s", kFewestImages);
  std::vector<Look> looks;
  const data::Survey survey = survey_sample(dataset, pool, looks);
  check_readable(source, survey);
  facts.looked_at = survey.examined;
  facts.bad_share = static_cast<double>(survey.bad.size()) / static_cast<double>(survey.examined);
  set_sizes(looks, facts);
  set_kind(looks, survey, facts);
  set_statistics(looks, facts);
  set_classes(survey, facts);
  return facts;
}

}  // namespace dino::recipe
