#include "cli/torch/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cli/shell_quote.h"
#include "dino/data/crops/crop_sheet.h"
#include "dino/data/sources/image_stream.h"
#include "dino/embed/pictures.h"
#include "dino/eval/recipe_knn.h"
#include "dino/model/backbone_file.h"
#include "dino/recipe/training_images.h"
#include "dino/run/report.h"

namespace dino::cli {
namespace {

constexpr int kCropRows = 4, kAttentionRows = 6, kPcaImages = 16, kNeighborRows = 6, kNeighbors = 8;
constexpr std::int64_t kGallery = 10000;  // at most: enough for good neighbors, seconds to search

std::vector<std::int64_t> evenly(std::int64_t size, std::int64_t count) {
  count = std::min(size, count);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(i * size / count);
  return indices;
}

/** Among no more images than the recipe compares in its k-NN, which knows what takes too long. */
image::Sheet neighbors(model::Backbone& teacher, const data::Dataset& gallery_images,
                       const data::Dataset& shown, const data::Preprocess& preprocess,
                       const recipe::Knn& knn) {
  const std::int64_t most = knn.gallery > 0 ? std::min(knn.gallery, kGallery) : kGallery;
  const auto gallery = data::subset(gallery_images, evenly(gallery_images.size(), most));
  const auto queries = data::subset(shown, data::sample_indices(shown, kNeighborRows));
  const auto extract = [&](const data::Dataset& dataset) {
    return embed::extract_features(teacher, dataset, preprocess, embed::FeatureKind::Cls, {});
  };
  const auto bank = extract(*gallery), asked = extract(*queries);
  std::vector<std::int64_t> rows(asked.indices.size());
  std::iota(rows.begin(), rows.end(), 0);
  return embed::neighbor_sheet({*gallery, bank}, {*queries, asked}, rows, preprocess,
                               {.k = kNeighbors, .center = knn.center});
}

std::vector<image::Sheet> pictures(model::Backbone& teacher, const recipe::Recipe& recipe) {
  const recipe::TrainingImages images(recipe);
  const auto streamed = images.stream() ? data::first_images(*images.stream(), kGallery) : nullptr;
  const data::Dataset& training = streamed ? *streamed : *images.dataset();
  const auto preprocess = recipe::knn_preprocess(recipe);
  const auto test = recipe.knn.test.empty()
                        ? nullptr
                        : data::open_dataset(recipe.knn.test, data::source_options(preprocess));
  const data::Dataset& shown = test ? *test : training;
  std::vector<image::Sheet> sheets = {
      data::crop_sheet(training, data::sample_indices(training, kCropRows),
                       data::CropSheetOptions{.crops = recipe.crops,
                                              .mixes = recipe.mixes,
                                              .seed = recipe.seed,
                                              .full_range = recipe.data.full_range,
                                              .evaluation = preprocess})};
  const auto squares =
      embed::load_squares(shown, data::sample_indices(shown, kPcaImages), preprocess);
  const auto architecture = recipe::architecture_of(recipe);
  const bool has_patches = architecture.family == arch::Family::Vit;
  if (has_patches && !squares.empty()) {
    const embed::MapOptions maps{.preprocess = preprocess,
                                 .patch_size = static_cast<int>(architecture.patch_size())};
    const auto rows =
        static_cast<std::ptrdiff_t>(std::min<std::size_t>(kAttentionRows, squares.size()));
    sheets.push_back(
        embed::attention_sheet(teacher, {squares.begin(), squares.begin() + rows}, maps));
    sheets.push_back(embed::pca_sheet(teacher, squares, maps));
  }
  sheets.push_back(neighbors(teacher, training, shown, preprocess, recipe.knn));
  return sheets;
}

}  // namespace

void write_run_report(const run::RunLayout& layout, const recipe::Recipe& recipe,
                      const LogSink& log) {
  dino::log(log, LogLevel::Info, "pictures for the report ...");
  const auto teacher = model::load_backbone(layout.teacher_weights()).backbone;
  run::write_report(layout.root, {.sheets = pictures(*teacher, recipe),
                                  .next_commands = next_commands(layout, recipe)});
}

std::vector<std::string> next_commands(const run::RunLayout& layout, const recipe::Recipe& recipe) {
  const std::string run = shell_quote(layout.root.string());
  const std::string source = recipe.knn.test.empty() ? recipe.data.train : recipe.knn.test;
  // A stream or a mixture cannot be named to these commands: any folder will do.
  const std::string images =
      source.empty() || data::is_stream(source) ? "IMAGES" : shell_quote(source);
  return {
      fmt::format("dino embed --weights {} --images {} --out features", run, images),
      fmt::format("dino show attention --weights {} --images {} --out attention.png", run, images),
      fmt::format("dino inspect {}", run)};
}

}  // namespace dino::cli
