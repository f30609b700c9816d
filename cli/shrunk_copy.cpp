#include "cli/shrunk_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stop_token>

#include "dino/base/cores.h"
#include "dino/base/hash.h"
#include "dino/data/pack.h"
#include "dino/recipe/training_images.h"

namespace dino::cli {
namespace {

/** px of the short side of a copy: half as much again as a crop, so that crops of a part of the
 * image are not made of blur. */
int copied_px(const recipe::Recipe& recipe) {
  constexpr int kLeast = 144;
  return std::max(kLeast, recipe.crops.global_size * 3 / 2);
}

bool pays(const FolderChoice& chosen, int px, double load_seconds) {
  constexpr std::int64_t kMostImages = 20'000;  // a folder of copies of more is a person's decision
  constexpr double kLarger = 1.25, kShare = 0.15;
  const recipe::ImageFacts& facts = chosen.facts;
  return !facts.full_range && facts.images <= kMostImages && facts.short_side() > kLarger * px &&
         static_cast<double>(facts.images) * load_seconds < kShare * chosen.seconds_left();
}

/** A name that changes with the images and with how they are copied. */
std::string name_of_copy(const data::Dataset& dataset, const FolderChoice& chosen, int px) {
  std::string text =
      fmt::format("{} {} {}", chosen.facts.source, chosen.facts.channels, chosen.facts.transparent);
  for (std::int64_t i = 0; i < dataset.size(); ++i) text += dataset.name(i) + "\n";
  const auto hash = xxh3_64(std::as_bytes(std::span(text)));
  return fmt::format("{}px-{:08x}", px, hash & 0xffffffff);
}

}  // namespace

bool shrink_once(FolderChoice& chosen, const std::filesystem::path& folder, Context& context) {
  constexpr double kMeasured = 1;  // s
  const int px = copied_px(chosen.choice.recipe);
  if (!pays(chosen, px, chosen.load_seconds(kMeasured))) return false;
  data::SourceOptions options = recipe::source_options(chosen.choice.recipe);
  options.decode.jpeg_min_side = options.decode.jpeg_min_short_side = px;
  options.cache = chosen.cache;
  const auto dataset = data::open_dataset(chosen.facts.source, options);
  const std::filesystem::path out = folder / name_of_copy(*dataset, chosen, px);
  std::filesystem::create_directories(folder);
  context.console.message(LogLevel::Info,
                          fmt::format("shrinking {} images to {} px, once, into {} ...",
                                      dataset->size(), px, out.string()));
  ThreadPool pool(pool_workers(context.threads));
  constexpr int kQuality = 95;
  const data::PackReport report = data::pack(
      *dataset, chosen.facts.source, out, {.size = px, .quality = kQuality}, pool,
      [](std::int64_t) {}, std::stop_token());
  // Only what shrinking changes: whoever uses the weights has the originals.
  recipe::ImageFacts& facts = chosen.facts;
  const double factor = static_cast<double>(px) / facts.short_side();
  facts.source = data::shard_pattern(out, report.shards);
  facts.images = report.images;
  facts.width = static_cast<int>(std::lround(facts.width * factor));
  facts.height = static_cast<int>(std::lround(facts.height * factor));
  facts.mostly_jpeg = true;
  facts.shrunk_px = px;
  chosen.choose();
  return true;
}

}  // namespace dino::cli
