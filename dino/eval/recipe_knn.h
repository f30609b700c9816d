// The k-NN figures of a recipe's [knn] block: the in-training one on a held-out slice of the
// gallery, and the final ones on the test set.
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
  std::optional<double> shifted_top1 =
      {};  ///< queries shifted and mirrored at random; only if asked for
};

/** What distinguishes one k-NN evaluation from another; the data aside. */
struct KnnProtocol {
  int k = 20;
  double temperature = 0.07;
  bool center = false;
  int shift_px = 0;  ///< above 0: also with queries shifted by up to this and mirrored
  std::uint64_t seed = 0;
};

/** Evaluates `to_features`, called once with the gallery and once or twice with the queries; empty
 * if one of the calls was stopped. Classes are matched by name: see match_classes(). */
using FeatureMaker =
    std::function<embed::FeatureMatrix(const data::Dataset&, const data::Augment&)>;
std::optional<KnnFigures> knn_figures(const data::Dataset& gallery, const data::Dataset& queries,
                                      const KnnProtocol& protocol, const FeatureMaker& to_features);

/** How a recipe feeds images to be evaluated: knn.image_size and knn.resize, else the global crops'
 * size. */
data::Preprocess knn_preprocess(const recipe::Recipe& recipe);

/** Opens a recipe's k-NN sources once and measures networks on them. Not thread-safe. */
class RecipeKnn {
 public:
  /** Throws Error{Config} if the recipe has no knn.train, Error{Data} if a source has no labels or
   * the test set has a class that the gallery lacks. */
  explicit RecipeKnn(const recipe::Recipe& recipe);

  /** Top-1 on `knn.slice` gallery images held out by the seed, with up to `knn.gallery` others
   * voting; empty if stopped. */
  std::optional<double> held_out(model::Backbone& backbone, const std::stop_token& stop = {}) const;
  /** The whole gallery against knn.test (without one: against the held-out slice), clean and
   * shifted; empty if stopped. */
  std::optional<KnnFigures> final(model::Backbone& backbone,
                                  const std::stop_token& stop = {}) const;
  /** The same for the pixels themselves. */
  std::optional<KnnFigures> final_pixels(const std::stop_token& stop = {}) const;

  const data::Dataset& gallery() const { return *gallery_; }
  /** knn.test, or the held-out slice. */
  const data::Dataset& queries() const;

 private:
  std::optional<KnnFigures> measure(const FeatureMaker& to_features) const;

  recipe::Recipe recipe_;
  data::Preprocess preprocess_;
  std::unique_ptr<data::Dataset> gallery_, test_;
  std::unique_ptr<data::Dataset> slice_, rest_,
      sample_;  // of gallery_: held out; all others; those that vote in training
};

}  // namespace dino::eval
