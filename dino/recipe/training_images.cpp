#include "dino/recipe/training_images.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/rng.h"
#include "dino/data/value_check.h"

namespace dino::recipe {
namespace {

std::unique_ptr<data::Dataset> open_mixture(const Data& data, const data::SourceOptions& options) {
  std::vector<std::unique_ptr<data::Dataset>> parts;
  std::vector<double> weights;
  for (const DataSource& source : data.sources) {
    if (data::is_stream(source.path))
      fail(
          ErrorKind::Config,
          "[recipe] data.sources: '{}' is a stream, which cannot be mixed; unpack it to a .tar, or "
          "train on it alone (data.train)",
          source.path);
    parts.push_back(data::open_dataset(source.path, options));
    if (source.weight > 0) weights.push_back(source.weight);
  }
  return data::mixture(std::move(parts), std::move(weights));
}

/** px that an image must keep so that no crop is made larger: the narrowest box of the smallest
 * share of the area has 3/4 of it as width squared. */
int least_side(const data::MultiCropOptions& crops) {
  const auto side = [](int size, double scale) { return size / std::sqrt(0.75 * scale); };
  const bool locals = crops.local_count > 0 && crops.local_window_step == 0;
  const double global = side(std::max(crops.global_size, crops.gram_size), crops.global_scale[0]);
  return static_cast<int>(
      std::ceil(locals ? std::max(global, side(crops.local_size, crops.local_scale[0])) : global));
}

}  // namespace

data::SourceOptions source_options(const Recipe& recipe) {
  data::SourceOptions options;
  options.channels = recipe.data.channels;
  options.decode =
      data::decode_options(recipe.data.background, recipe.data.upright, recipe.data.value_range);
  options.decode.max_pixels = recipe.data.max_pixels;
  options.inputs = recipe.data.inputs;
  if (!recipe.data.shrink_jpeg) return options;
  for (int mix = 0; mix < data::mix_count(recipe.mixes); ++mix) {
    const data::MultiCropOptions crops = data::mixed_crops(recipe.crops, recipe.mixes, mix);
    const auto raise = [](int& least, int px) { least = std::max(least, px); };
    raise(options.decode.jpeg_min_side, least_side(crops));
    // Boxes of strips are as high as the strip.
    raise(options.decode.jpeg_min_short_side,
          std::max({crops.global_size, crops.gram_size, crops.local_size}));
  }
  return options;
}

TrainingImages::TrainingImages(const Recipe& recipe, const std::filesystem::path& cache) {
  const Data& data = recipe.data;
  data::SourceOptions options = source_options(recipe);
  options.cache = cache;
  if (data::is_stream(data.train)) {
    if (data.limit > 0)
      fail(ErrorKind::Config, "[recipe] data.limit = {} cannot pick from a stream; leave it at 0",
           data.limit);
    stream_ = std::make_unique<data::ImageStream>(
        data.train, data::StreamOptions{.channels = data.channels,
                                        .decode = options.decode,
                                        .inputs = data.inputs,
                                        .shuffle_buffer = data.shuffle_buffer});
    return;
  }
  all_ =
      data.sources.empty() ? data::open_dataset(data.train, options) : open_mixture(data, options);
  if (data.limit <= 0 || data.limit >= all_->size()) return;
  Rng rng(recipe.seed, /*epoch=*/~0ULL);  // no epoch's stream
  std::vector<std::int64_t> indices = random_permutation(all_->size(), rng);
  indices.resize(static_cast<std::size_t>(data.limit));
  std::sort(indices.begin(), indices.end());
  limited_ = data::subset(*all_, std::move(indices));
}

data::LoaderOptions loader_options(const Recipe& recipe, int threads, int rank, int world) {
  if (recipe.train.batch_size % world != 0)
    fail(ErrorKind::Config,
         "[recipe] train.batch_size = {} images of a step cannot be shared by {} ranks; choose a "
         "multiple",
         recipe.train.batch_size, world);
  constexpr auto sample_type = [](std::string_view word) {
    return word == "uint8"  ? data::SampleType::U8
           : word == "bf16" ? data::SampleType::BF16
                            : data::SampleType::F32;
  };
  data::LoaderOptions options;
  options.batch_size = recipe.train.batch_size / world;
  options.rank = rank;
  options.world_size = world;
  options.channels = recipe.data.channels;
  options.full_range = recipe.data.full_range;
  options.type = sample_type(recipe.data.batch_type);
  options.seed = recipe.seed;
  const ThreadPlan plan = plan_training(threads, recipe.data.workers);
  options.workers = plan.loading;
  options.workers_beside = plan.beside;
  options.max_bad_share = recipe.data.max_bad_share;
  options.patch_size = patch_size(recipe);
  options.masks = recipe.masks;
  options.mixes = recipe.mixes;
  options.epoch_images = recipe.data.epoch_images;
  return options;
}

data::Preprocess knn_preprocess(const Recipe& recipe) {
  const auto* fit = std::ranges::find(data::kFitWords, std::string_view(recipe.knn.fit),
                                      &std::pair<data::Fit, std::string_view>::second);
  DINO_ASSERT(fit != data::kFitWords.end());  // the recipe was checked
  return {
      .image_size = recipe.knn.image_size > 0 ? recipe.knn.image_size : recipe.crops.global_size,
      .resize = recipe.knn.resize,
      .channels = recipe.data.channels,
      .mean = recipe.crops.mean,
      .std = recipe.crops.std,
      .fit = fit->first,
      .filter = recipe.knn.filter == "bilinear" ? image::Filter::Bilinear : image::Filter::Bicubic,
      .full_range = recipe.data.full_range,
      .background = recipe.data.background,
      .upright = recipe.data.upright,
      .value_range = recipe.data.value_range};
}

std::vector<std::string> value_advice(const TrainingImages& images, const Recipe& recipe) {
  constexpr std::int64_t kStreamed = 16;
  const auto streamed = images.stream() ? data::first_images(*images.stream(), kStreamed) : nullptr;
  return data::value_advice(streamed ? *streamed : *images.dataset(), source_options(recipe).decode,
                            recipe.data.full_range);
}

std::string describe_source(const Data& data) {
  if (data.sources.empty()) return data.train;
  std::string text;
  for (const DataSource& source : data.sources) text += (text.empty() ? "" : ", ") + source.path;
  return text;
}

std::filesystem::path index_folder(const std::filesystem::path& run) {
  std::error_code ignored;
  return std::filesystem::absolute(run, ignored).lexically_normal().parent_path() / ".dino_index";
}

}  // namespace dino::recipe
