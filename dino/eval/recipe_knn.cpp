#include "dino/eval/recipe_knn.h"

#include <torch/types.h>

#include <algorithm>

#include "dino/base/error.h"
#include "dino/base/rng.h"
#include "dino/eval/labeled_source.h"
#include "dino/eval/match_classes.h"
#include "dino/recipe/training_images.h"

namespace dino::eval {
namespace {

LabeledFeatures labeled(const embed::FeatureMatrix& matrix) {
  return {matrix.features, matrix.labels};
}

std::unique_ptr<data::Dataset> sorted_subset(const data::Dataset& base,
                                             std::vector<std::int64_t> indices) {
  std::sort(indices.begin(), indices.end());
  return data::subset(base, std::move(indices));
}

}  // namespace

std::optional<KnnFigures> knn_figures(const data::Dataset& gallery, const data::Dataset& queries,
                                      const KnnProtocol& protocol,
                                      const FeatureMaker& to_features) {
  const KnnOptions options{
      .k = {protocol.k}, .temperature = protocol.temperature, .center = protocol.center};
  const auto class_of =
      match_classes(gallery.class_names(), queries.class_names(), "the gallery", "the queries");
  const auto bank = to_features(gallery, {});
  if (bank.stopped) return std::nullopt;
  const auto top1 = [&](const data::Augment& augment) -> std::optional<double> {
    auto features = to_features(queries, augment);
    if (features.stopped) return std::nullopt;
    relabel(features, class_of);
    return knn_classify(labeled(bank), labeled(features), options).scores[0].top1;
  };
  const auto clean = top1({});
  if (!clean) return std::nullopt;
  KnnFigures figures{.top1 = *clean};
  if (protocol.shift_px > 0) {
    figures.shifted_top1 =
        top1({.shift_px = protocol.shift_px, .mirror = true, .seed = protocol.seed});
    if (!figures.shifted_top1) return std::nullopt;
  }
  return figures;
}

RecipeKnn::RecipeKnn(const recipe::Recipe& recipe)
    : recipe_(recipe), preprocess_(recipe::knn_preprocess(recipe)) {
  if (recipe.knn.train.empty()) fail(ErrorKind::Config, "[knn] the recipe names no knn.train");
  data::validate(preprocess_);
  gallery_ = open_labeled(recipe.knn.train, preprocess_, "knn.train").images;
  if (!recipe.knn.test.empty()) {
    test_ = open_labeled(recipe.knn.test, preprocess_, "knn.test").images;
    match_classes(gallery_->class_names(), test_->class_names(), "knn.train = " + recipe.knn.train,
                  "knn.test = " + recipe.knn.test);
  }
  const std::int64_t size = gallery_->size();
  if (size < 2)
    fail(ErrorKind::Data, "[knn] knn.train holds {} image; at least 2 are needed", size);
  Rng rng(recipe.seed, /*epoch=*/~1ULL);  // a stream no epoch of training uses
  const auto order = random_permutation(size, rng);
  const std::int64_t held = std::clamp<std::int64_t>(recipe.knn.slice, 1, size / 2);
  const std::int64_t voting =
      recipe.knn.gallery > 0 ? std::min(recipe.knn.gallery, size - held) : size - held;
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    return sorted_subset(*gallery_, {order.begin() + begin, order.begin() + end});
  };
  slice_ = part(0, held);
  sample_ = part(held, held + voting);
}

const data::Dataset& RecipeKnn::queries() const {
  return test_ ? *test_ : *slice_;
}

std::optional<double> RecipeKnn::held_out(model::Backbone& backbone,
                                          const std::stop_token& stop) const {
  const embed::ExtractOptions options{.stop = stop};
  const auto extract = [&](const data::Dataset& dataset) {
    return embed::extract_features(backbone, dataset, preprocess_, embed::FeatureKind::Cls,
                                   options);
  };
  const auto bank = extract(*sample_);
  if (bank.stopped) return std::nullopt;
  const auto queries = extract(*slice_);
  if (queries.stopped) return std::nullopt;
  return knn_classify(labeled(bank), labeled(queries),
                      {.k = {recipe_.knn.k},
                       .temperature = recipe_.knn.temperature,
                       .center = recipe_.knn.center})
      .scores[0]
      .top1;
}

std::optional<KnnFigures> RecipeKnn::measure(const FeatureMaker& to_features) const {
  return knn_figures(test_ ? *gallery_ : *sample_, queries(),
                     {.k = recipe_.knn.k,
                      .temperature = recipe_.knn.temperature,
                      .center = recipe_.knn.center,
                      .shift_px = recipe_.knn.shift_px,
                      .seed = recipe_.seed},
                     to_features);
}

std::optional<KnnFigures> RecipeKnn::final(model::Backbone& backbone,
                                           const std::stop_token& stop) const {
  return measure([&](const data::Dataset& dataset, const data::Augment& augment) {
    return embed::extract_features(backbone, dataset, preprocess_, embed::FeatureKind::Cls,
                                   {.augment = augment, .stop = stop});
  });
}

std::optional<KnnFigures> RecipeKnn::final_pixels(const std::stop_token& stop) const {
  return measure([&](const data::Dataset& dataset, const data::Augment& augment) {
    return embed::extract_pixels(dataset, preprocess_, {.augment = augment, .stop = stop});
  });
}

}  // namespace dino::eval
