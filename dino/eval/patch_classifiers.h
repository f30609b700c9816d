// Two classifiers of patch features that give a score for each class: votes of the nearest
// neighbors, and softmax regression.
#pragma once
#include <torch/types.h>

#include <cstdint>

namespace dino::eval {

/** Features with the class of each. */
struct LabeledPatches {
  torch::Tensor features;    ///< [n, D] fp32, CPU
  torch::Tensor labels;      ///< [n] int64, in [0, classes)
  std::int64_t classes = 0;  ///< C
};

/** Weighted votes of the k nearest patches by cosine, each exp(s / temperature), divided by their
 * sum. Deterministic and independent of the number of threads. */
class NeighborVotes {
 public:
  /** Throws Error{Data} on an empty gallery, Error{Usage} on options out of range. */
  NeighborVotes(const LabeledPatches& gallery, int k, double temperature);
  /** Scores [n, C] fp32 of features [n, D]; the sum over the classes is 1. */
  torch::Tensor operator()(const torch::Tensor& features) const;

 private:
  torch::Tensor gallery_, labels_;
  std::int64_t classes_;
  int k_;
  double temperature_;
};

struct RegressionOptions {
  double weight_decay = 1e-4;  ///< half of it times the squared weights is added to the mean loss
  int iterations = 100;        ///< of L-BFGS, at most
};

/** Multinomial logistic regression on features that are standardized as those it learns from: each
 * dimension has mean 0 and standard deviation 1. The loss is convex and minimized by L-BFGS on all
 * patches at once, from zero, so nothing is drawn. */
class SoftmaxRegression {
 public:
  /** Throws Error{Data} on an empty set, Error{Usage} on options out of range. */
  SoftmaxRegression(const LabeledPatches& patches, const RegressionOptions& options);
  /** Logits [n, C] of features [n, D]. */
  torch::Tensor operator()(const torch::Tensor& features) const;
  /** Mean cross-entropy and penalty where it ended. */
  double loss() const { return loss_; }

 private:
  torch::Tensor standardized(const torch::Tensor& features) const;

  torch::Tensor mean_, scale_;    // [D]
  torch::Tensor weights_, bias_;  // [D, C], [C]
  double loss_ = 0;
};

}  // namespace dino::eval
