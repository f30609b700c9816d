#include "dino/data/scenes/object_library.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <span>

#include "dino/base/error.h"
#include "dino/base/hash.h"
#include "dino/base/nearest_name.h"
#include "dino/base/rng.h"
#include "dino/base/text.h"
#include "dino/data/sources/dataset.h"

namespace dino::data {
namespace {

constexpr std::size_t kReasonsKept = 5;
constexpr std::size_t kMostClasses = 255;  // a class map has one byte per px
constexpr std::uint64_t kSplitStream = ~std::uint64_t{1};
// Cutouts are small. A clip art of more px would take a thread longer than all others together.
constexpr std::int64_t kMostPixels = 1 << 25;

/** An image of a source, and what it turned out to be. */
struct FoundImage {
  const Dataset* source = nullptr;
  std::int64_t index = 0;
  std::string name, class_name;
  std::optional<Cutout> cutout = {};
  NoCutout why = NoCutout::Opaque;
  std::string reason = {};  // why it cannot be read
};

void check_objects(const ObjectOptions& options) {
  if (options.sources.empty())
    fail(ErrorKind::Usage,
         "[scenes] no folder of objects is given; name folders of images with transparency "
         "(--sources), such as those of Debian's tuxpaint-stamps-default and openclipart-png");
  if (options.class_depth < 1)
    fail(ErrorKind::Usage, "[scenes] --class-depth must be at least 1: {}", options.class_depth);
  if (options.least_objects < 2)
    fail(ErrorKind::Usage, "[scenes] --least-objects must be at least 2: {}",
         options.least_objects);
  if (!(options.test_share >= 0 && options.test_share < 1))
    fail(ErrorKind::Usage, "[scenes] --test-share must lie in [0, 1): {}", options.test_share);
}

/** "a-b" for "a/b/c.png" at depth 2, "a" for "a/c.png" at any; empty for "c.png". */
std::string class_of_path(std::string_view path, int depth) {
  std::string name;
  for (std::size_t slash = path.find('/'); depth > 0 && slash != path.npos;
       slash = path.find('/'), --depth) {
    if (!name.empty()) name += '-';
    name += printable(path.substr(0, slash));
    path.remove_prefix(slash + 1);
  }
  return name;
}

/** The images of all sources, in order of sources and paths. */
std::vector<FoundImage> find_images(const std::vector<std::unique_ptr<Dataset>>& opened,
                                    const ObjectOptions& options) {
  std::vector<FoundImage> images;
  for (std::size_t s = 0; s < opened.size(); ++s) {
    const std::filesystem::path root(options.sources[s]);
    for (std::int64_t i = 0; i < opened[s]->size(); ++i) {
      std::string name =
          std::filesystem::path(opened[s]->name(i)).lexically_relative(root).native();
      std::string class_name = class_of_path(name, options.class_depth);
      images.push_back({opened[s].get(), i, std::move(name), std::move(class_name)});
    }
  }
  return images;
}

/** Leaves the images of the classes asked for. */
void keep_classes(std::vector<FoundImage>& images, const ObjectOptions& options,
                  ObjectCounts& counts) {
  std::set<std::string> found;
  for (const FoundImage& image : images) found.insert(image.class_name);
  found.erase("");
  const std::vector<std::string> known(found.begin(), found.end());
  for (const std::string& name : options.classes)
    if (!found.contains(name))
      fail(ErrorKind::Usage, "[scenes] no folder is of class '{}'{}; there are: {}",
           printable(std::string_view(name)), did_you_mean(name, known),
           fmt::join(std::span(known).first(std::min<std::size_t>(known.size(), 40)), ", "));
  const std::set<std::string> wanted(options.classes.begin(), options.classes.end());
  counts.without_class = static_cast<std::int64_t>(
      std::erase_if(images, [](const FoundImage& image) { return image.class_name.empty(); }));
  if (!wanted.empty())
    counts.of_other_classes = static_cast<std::int64_t>(std::erase_if(
        images, [&](const FoundImage& image) { return !wanted.contains(image.class_name); }));
}

void read_object(FoundImage& image, int most_px) {
  try {
    const StoredImage stored = image.source->stored(image.index);
    const image::Raster raster = image::read_raster(stored.bytes, {.max_pixels = kMostPixels});
    image.cutout = cut_out(raster, most_px, image.why);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
    image.reason = error.what();
  }
}

std::string identity_of(const Cutout& cutout) {
  return fmt::format("{}x{} {}", cutout.width, cutout.height,
                     xxh3_128_hex(std::as_bytes(std::span(cutout.pixels))));
}

/** Drops what is no object, or none that is new. */
std::vector<FoundImage> usable(std::vector<FoundImage> images, ObjectCounts& counts) {
  std::set<std::string> seen;
  std::erase_if(images, [&](const FoundImage& image) {
    if (!image.reason.empty()) {
      ++counts.unreadable;
      if (counts.first_unreadable.size() < kReasonsKept)
        counts.first_unreadable.push_back(
            fmt::format("{}: {}", printable(std::string_view(image.name)), image.reason));
      return true;
    }
    if (!image.cutout) {
      ++(image.why == NoCutout::Small ? counts.small : counts.opaque);
      return true;
    }
    const bool known = !seen.insert(identity_of(*image.cutout)).second;
    counts.duplicates += known ? 1 : 0;
    return known;
  });
  return images;
}

void add_classes(std::vector<FoundImage> images, const ObjectOptions& options,
                 ObjectLibrary& library) {
  std::map<std::string, std::int64_t> sizes;
  for (const FoundImage& image : images) ++sizes[image.class_name];
  for (const auto& [name, size] : sizes) {
    if (size >= options.least_objects)
      library.classes.push_back(name);
    else
      library.counts.of_small_classes += size;
  }
  for (auto& split : library.of) split.resize(library.classes.size());
  for (FoundImage& image : images) {
    const auto found = std::ranges::lower_bound(library.classes, image.class_name);
    if (found == library.classes.end() || *found != image.class_name) continue;
    library.objects.push_back(
        {std::move(*image.cutout), found - library.classes.begin() + 1, std::move(image.name)});
  }
}

/** Draws which objects of each class are for the test. */
void split_objects(const ObjectOptions& options, ObjectLibrary& library) {
  std::vector<std::vector<std::int64_t>> members(library.classes.size());
  for (std::size_t i = 0; i < library.objects.size(); ++i)
    members[static_cast<std::size_t>(library.objects[i].label - 1)].push_back(
        static_cast<std::int64_t>(i));
  for (std::size_t c = 0; c < members.size(); ++c) {
    Rng rng(options.seed, kSplitStream, c);
    rng.shuffle(std::span(members[c]));
    const auto size = static_cast<double>(members[c].size());
    const auto share = static_cast<std::ptrdiff_t>(options.test_share * size + 0.5);
    const std::ptrdiff_t test =
        options.test_share > 0 ? std::clamp<std::ptrdiff_t>(share, 1, std::ssize(members[c]) - 1)
                               : 0;
    const auto middle = members[c].begin() + test;
    library.of[1][c].assign(members[c].begin(), middle);
    library.of[0][c].assign(middle, members[c].end());
    for (auto& split : library.of) std::ranges::sort(split[c]);
  }
}

void check_library(const ObjectLibrary& library, const ObjectOptions& options) {
  const ObjectCounts& counts = library.counts;
  if (library.classes.empty())
    fail(ErrorKind::Data,
         "[scenes] no class has {} objects. Of {} images {} have no transparent background, {} are "
         "too small, {} cannot be read, {} occur twice, {} lie in no folder below their source, {} "
         "are of smaller classes; name folders of transparent images (--sources), or lower "
         "--least-objects{}{}",
         options.least_objects, counts.images, counts.opaque, counts.small, counts.unreadable,
         counts.duplicates, counts.without_class, counts.of_small_classes,
         counts.first_unreadable.empty() ? "" : "; the first that cannot be read: ",
         counts.first_unreadable.empty() ? "" : counts.first_unreadable.front());
  if (library.classes.size() > kMostClasses)
    fail(ErrorKind::Data,
         "[scenes] {} classes are more than the {} that fit a class map; choose some with "
         "--classes, or a lower --class-depth",
         library.classes.size(), kMostClasses);
}

}  // namespace

ObjectLibrary load_objects(const ObjectOptions& options, ThreadPool& threads,
                           const std::stop_token& stop) {
  check_objects(options);
  std::vector<std::unique_ptr<Dataset>> opened;
  for (const std::string& source : options.sources) opened.push_back(open_dataset(source, 3));
  ObjectLibrary library;
  std::vector<FoundImage> images = find_images(opened, options);
  library.counts.images = std::ssize(images);
  keep_classes(images, options, library.counts);
  threads.parallel_for(std::ssize(images), [&](std::int64_t i) {
    if (!stop.stop_requested()) read_object(images[static_cast<std::size_t>(i)], options.most_px);
  });
  if (stop.stop_requested()) return library;
  add_classes(usable(std::move(images), library.counts), options, library);
  check_library(library, options);
  split_objects(options, library);
  return library;
}

}  // namespace dino::data
