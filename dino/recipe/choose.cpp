#include "dino/recipe/choose.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <span>
#include <string>

#include "dino/base/text.h"

namespace dino::recipe {
namespace {

/** A step of the ladder: what suits so many images and so much computing. The first was found by
 * trials on sets of 500 to 10,000 images of many kinds: docs/small_sets.md. */
struct Level {
  int px;  ///< of the global crops
  int patch, dim, depth, heads;
  int local_count;
  int batch, accumulate;
  double lr;  ///< as it is, not scaled with the batch
  double ema_momentum;
  int prototypes, hidden, bottleneck;
  std::int64_t fewest_images;  ///< below, a larger network learns them by heart
  double fewest_seen;          ///< images, repeats counted, below which it does not learn enough
};

constexpr std::array<Level, 5> kLevels = {{
    {64, 8, 128, 4, 4, 4, 16, 1, 1e-3, 0.99, 256, 512, 128, 0, 0},
    {64, 8, 192, 6, 6, 6, 32, 1, 1e-3, 0.99, 512, 512, 128, 5000, 500e3},
    {96, 8, 192, 8, 6, 6, 32, 1, 5e-4, 0.996, 1024, 1024, 256, 10'000, 1.5e6},
    {128, 8, 192, 12, 3, 6, 64, 1, 5e-4, 0.996, 2048, 2048, 256, 20'000, 3e6},
    {224, 16, 384, 12, 6, 8, 64, 4, 5e-4, 0.996, 8192, 2048, 256, 100'000, 10e6},
}};

constexpr int kThumbnail = 36;  ///< px up to which a grid of 4 x 4 patches covers the whole image
constexpr int kSmallest = 16;   ///< px of a crop: smaller images are enlarged
constexpr int kDetailed = 192;  ///< px from which crops of 128 px show more than those of 64
constexpr int kSmall = 100;     ///< px below which crops of 48 px show as much as larger ones

int rounded(double value, int multiple) {
  return std::max(1, static_cast<int>(std::lround(value / multiple))) * multiple;
}

/** Crops are no larger than the images, and whole patches. Where the images are large and full of
 * detail, the crops and the patches of the smallest network are twice as large: it costs the same.
 */
void set_sizes(const ImageFacts& facts, Level level, Recipe& r) {
  if (level.px == 64 && !facts.plain_ground && facts.short_side() >= kDetailed)
    level.px *= 2, level.patch *= 2;
  const int side = std::max(facts.short_side(), kSmallest);
  int& patch = r.backbone.patch_size;
  int& px = r.crops.global_size;
  constexpr int kFinePatch = 8;
  patch = side < level.px ? std::min(level.patch, kFinePatch) : level.patch;
  px = std::min(side < kSmall ? std::min(level.px, 48) : level.px, side / patch * patch);
  if (side <= kThumbnail) {
    patch = std::max(1, static_cast<int>(std::lround(side / 4.0)));
    px = 4 * patch;
  }
  r.crops.local_size = rounded(px / 2.0, patch);
  r.crops.local_count = level.local_count;
  // Small parts show nothing of an object on a plain ground, nor of what is wrong with a surface.
  r.crops.global_scale = {0.6, 1.0};
  r.crops.local_scale = {0.3, 0.6};
  r.crops.blur_radius = {0.1, px <= 96 ? 1.0 : 2.0};  // the paper's 2 px would erase small crops
}

void set_network(const Level& level, Recipe& r) {
  r.backbone.arch = "vit";
  r.backbone.dim = level.dim;
  r.backbone.depth = level.depth;
  r.backbone.heads = level.heads;
  r.backbone.drop_path = level.depth >= 12 ? 0.1 : 0.0;
  r.head.prototypes = level.prototypes;
  r.head.hidden = level.hidden;
  r.head.bottleneck = level.bottleneck;
}

/** Four digits: the recipe is read by people. */
double short_number(double value) {
  return std::stod(fmt::format("{:.4g}", value));
}

/** What the samples are, and how they may be changed. */
void set_pixels(const ImageFacts& facts, Recipe& r) {
  r.data.channels = facts.channels;
  r.data.full_range = facts.full_range;
  if (facts.transparent) r.data.background = {255, 255, 255};
  r.data.shrink_jpeg = facts.mostly_jpeg && facts.short_side() >= 3 * r.crops.global_size;
  // Without a margin no crop shows what lies at the border of an image elsewhere. It is counted in
  // px of the file, so not where the decoder shrinks.
  if (!r.data.shrink_jpeg) r.crops.pad = rounded(0.12 * facts.short_side(), 1);
  r.data.max_bad_share = std::max(r.data.max_bad_share, std::min(1.0, 2 * facts.bad_share));
  for (double& value : r.crops.mean = facts.mean) value = short_number(value);
  for (double& value : r.crops.std = facts.std) value = short_number(value);
  // Inverting what is bright hides dark ink on bright paper; and values of full_range may lie
  // outside [0, 1].
  r.crops.solarize = {0, 0, 0};
}

void set_training(const Level& level, const Budget& budget, Recipe& r) {
  r.train.batch_size = level.batch;
  r.train.accumulate = level.accumulate;
  r.train.epochs = 1;
  r.train.save_minutes = 2;
  r.data.workers = std::clamp(budget.threads, 1, 16);
  r.optim.lr = level.lr;
  r.optim.lr_reference_batch = 0;
  r.optim.ema_momentum = level.ema_momentum;
  r.optim.warmup_epochs = r.optim.freeze_last_layer_epochs = 0;
}

/** KoLeo keeps the features of images that look alike apart, which a sharp teacher needs: without
 * it a running mean drives it to uniform. Sinkhorn-Knopp, over the few rows of a small batch, gives
 * blunter targets that teach less: docs/small_sets.md. */
void set_objectives(Recipe& r) {
  r.objectives = {"dino", "spread"};
  r.dino.teacher_temperature = r.dino.warmup_teacher_temperature = 0.03;
  r.spread.weight = 0.1;
}

/** Labels are looked at only to measure. What is measured is bounded: it must not take the time of
 * the training. */
void set_knn(const ImageFacts& facts, Recipe& r) {
  const double bytes = 4.0 * r.crops.global_size * r.crops.global_size * r.data.channels;
  constexpr double kPixelMemory = 256e6;  // raw pixels are compared too
  const auto fitting = static_cast<std::int64_t>(kPixelMemory / bytes);
  r.knn.gallery = std::clamp<std::int64_t>(fitting, 200, 5000);
  r.knn.slice = std::clamp<std::int64_t>(facts.labeled / 4, 1, 1000);
  if (facts.classes == 0) return;
  r.knn.train = facts.source;
  r.knn.k = static_cast<int>(std::clamp<std::int64_t>(facts.smallest_class / 2, 1, 20));
  r.knn.center = true;
  r.knn.shift_px = std::max(1, r.crops.global_size / 10);
}

/** Images that the budget pays for, repeats counted. */
double images_seen(const Recipe& recipe, const Budget& budget) {
  return budget.gflops * 60 * budget.minutes / step_gflop(recipe);
}

Recipe recipe_of(const ImageFacts& facts, const Level& level, const Budget& budget) {
  Recipe r;
  r.data.train = facts.source;
  set_sizes(facts, level, r);
  set_network(level, r);
  set_pixels(facts, r);
  set_training(level, budget, r);
  set_objectives(r);
  set_knn(facts, r);
  return r;
}

Comments reasons_of(const ImageFacts& facts, const Recipe& r) {
  Comments reasons = {
      {"data.channels", r.data.channels == 1   ? "every image looked at is gray"
                        : r.data.channels == 3 ? "color"
                                               : "the bands of the files"},
      {"data.workers", "a thread for each processor; most sleep while a step computes"},
      {"crops.global_size", fmt::format("px; the images have {} x {}, and larger crops cost time",
                                        facts.width, facts.height)},
      {"crops.local_size", "half of a global crop"},
      {"crops.local_scale", "smaller parts of a small set's images show too little"},
      {"crops.mean", fmt::format("of {} of the images", facts.looked_at)},
      {"backbone.dim", "as large as these images and this time allow"},
      {"head.prototypes",
       "a batch is spread over all of them; the paper's 65536 are for large ones"},
      {"objectives", "KoLeo spreads the features, whatever the images share"},
      {"dino.teacher_temperature", "sharper than the paper's 0.04: short runs need clear targets"},
      {"crops.solarize", "off: it hides dark ink on bright paper"},
      {"optim.lr", "as it is, whatever the batch"},
      {"train.epochs", "as many as fit into the time, at the speed of this machine"},
      {"train.max_minutes",
       "the time given, less what k-NN and the report take; 0 = train all epochs"},
      {"knn.train", facts.classes > 0 ? "labels are used here, to measure, and nowhere in training"
                                      : "no classes found: nothing is measured"},
  };
  if (facts.shrunk_px > 0)
    reasons["data.train"] = fmt::format("the images, shrunk once to {} px", facts.shrunk_px);
  if (r.data.full_range) reasons["data.full_range"] = "samples of more than 8 bits, or many bands";
  if (!r.data.background.empty()) reasons["data.background"] = "white behind transparent pixels";
  if (r.data.shrink_jpeg)
    reasons["data.shrink_jpeg"] = "much larger than the crops: decoded at a fraction of the size";
  if (r.crops.pad > 0) reasons["crops.pad"] = "px of the images, 12 % of their shorter side";
  return reasons;
}

}  // namespace

double step_gflop(const Recipe& recipe) {
  const arch::Architecture a = architecture_of(recipe);
  const auto& v = a.vit;
  const auto network = [&](int px, double crops) {
    const double grid = px / static_cast<double>(v.patch_size), tokens = grid * grid + 1;
    const auto dim = static_cast<double>(v.dim), hidden = static_cast<double>(v.hidden);
    const double block = 4 * dim * dim + 2 * dim * hidden + 2 * tokens * dim;
    const double patch = static_cast<double>(v.patch_size * v.patch_size * a.channels) * dim;
    const double head = dim * recipe.head.hidden + recipe.head.hidden * recipe.head.hidden +
                        recipe.head.hidden * recipe.head.bottleneck +
                        recipe.head.bottleneck * recipe.head.prototypes;
    return crops * 2 * (tokens * (static_cast<double>(v.depth) * block + patch) + head);
  };
  constexpr double kWithBackward = 3, kGlobals = 2;
  const double teacher = network(recipe.crops.global_size, kGlobals);
  const double student = teacher + network(recipe.crops.local_size, recipe.crops.local_count);
  return (teacher + kWithBackward * student) / 1e9;
}

Choice choose_recipe(const ImageFacts& facts, const Budget& budget) {
  Choice choice{recipe_of(facts, kLevels[0], budget), {}};
  for (const Level& level : std::span(kLevels).subspan(1)) {
    if (facts.images < level.fewest_images) break;
    Recipe larger = recipe_of(facts, level, budget);
    if (images_seen(larger, budget) < level.fewest_seen) break;
    choice.recipe = std::move(larger);
  }
  choice.reasons = reasons_of(facts, choice.recipe);
  return choice;
}

}  // namespace dino::recipe
