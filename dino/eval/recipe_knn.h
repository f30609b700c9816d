// The k-NN evaluations of a recipe's [knn] block: during training on a held-out slice of the
// gallery, at the end on the test set.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "dino/data/sources/dataset.h"
#include "dino/embed/feature_matrix.h"
#include "dino/eval/knn.h"
#include "dino/model/backbone.h"
#include "dino/recipe/recipe.h"

namespace dino::eval {

/** Top-1 in [0, 1]. */
struct KnnFigures {
  double top1 = 0;
  /// With randomly shifted and mirrored queries, if requested
  std::optional<double> shifted_top1 = {};
};

/** The parameters of a k-NN evaluation. */
struct KnnProtocol {
  int k = 20;
  double temperature = 0.07;
  bool center = false;
  int shift_px = 0;  ///< above 0: also evaluate queries shifted by up to this and mirrored
  std::uint64_t seed = 0;
};

/** Evaluates the features that `to_features` computes: it is called once for the gallery and once
 * or twice for the queries. Empty if a call was stopped. Classes are matched by match_classes(). */
using FeatureMaker =
    std::function<embed::FeatureMatrix(const data::Dataset&, const data::Augment&)>;
std::optional<KnnFigures> knn_figures(const data::Dataset& gallery, const data::Dataset& queries,
                                      const KnnProtocol& protocol, const FeatureMaker& to_features);

/** Opens a recipe's k-NN data sets once and evaluates networks on them. Not thread-safe. */
class RecipeKnn {
 public:
  /** Throws Error{Config} if the recipe has no knn.train, Error{Data} if a source has no labels or
   * the test set has a class that the gallery lacks. */
  explicit RecipeKnn(const recipe::Recipe& recipe);

  /** Top-1 on `knn.slice` gallery images held out by the seed, with up to `knn.gallery` others
   * voting; empty if stopped. */
  std::optional<double> held_out(model::Backbone& backbone, const std::stop_token& stop = {}) const;
  /** Evaluates knn.test with the whole gallery or, if there is none, the held-out slice with the
   * images that vote in training; with clean and shifted queries; empty if stopped. */
  std::optional<KnnFigures> final(model::Backbone& backbone,
                                  const std::stop_token& stop = {}) const;
  /** The same evaluation with raw pixels as features. */
  std::optional<KnnFigures> final_pixels(const std::stop_token& stop = {}) const;

  const data::Dataset& gallery() const { return *gallery_; }
  /** knn.test, or the held-out slice. */
  const data::Dataset& queries() const;

 private:
  std::optional<KnnFigures> measure(const FeatureMaker& to_features) const;

  recipe::Recipe recipe_;
  data::Preprocess preprocess_;
  std::unique_ptr<data::Dataset> gallery_, test_;
  std::unique_ptr<data::Dataset> slice_, sample_;  // subsets of gallery_: held out; voting
};

}  // namespace dino::eval
