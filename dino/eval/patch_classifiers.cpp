#include "dino/eval/patch_classifiers.h"

#include <torch/optim/lbfgs.h>

#include <cmath>
#include <vector>

#include "dino/base/error.h"
#include "dino/embed/neighbors.h"

namespace dino::eval {
namespace {

void check(const LabeledPatches& patches) {
  if (!patches.features.defined() || patches.features.size(0) == 0)
    fail(ErrorKind::Data, "[patches] there are no patches to learn from");
  DINO_ASSERT(patches.features.dim() == 2 &&
              patches.labels.sizes() == torch::IntArrayRef{patches.features.size(0)});
}

}  // namespace

NeighborVotes::NeighborVotes(const LabeledPatches& gallery, int k, double temperature)
    : classes_(gallery.classes), k_(k), temperature_(temperature) {
  if (k < 1) fail(ErrorKind::Usage, "[patches] k must be at least 1: {}", k);
  if (!(temperature > 0) || !std::isfinite(temperature))
    fail(ErrorKind::Usage, "[patches] temperature must be above 0: {}; the usual one is 0.07",
         temperature);
  check(gallery);
  gallery_ = embed::l2_normalize(gallery.features);
  labels_ = gallery.labels.contiguous();
}

torch::Tensor NeighborVotes::operator()(const torch::Tensor& features) const {
  const torch::NoGradGuard no_grad;
  const auto neighbors =
      embed::nearest_neighbors(embed::l2_normalize(features), gallery_, {.k = k_});
  const std::int64_t n = features.size(0), found = neighbors.index.size(1);
  const auto* similarity = neighbors.similarity.const_data_ptr<double>();
  const auto* index = neighbors.index.const_data_ptr<std::int64_t>();
  const auto* labels = labels_.const_data_ptr<std::int64_t>();
  auto scores = torch::zeros({n, classes_});  // [n, C]
  float* out = scores.data_ptr<float>();
  std::vector<double> votes(static_cast<std::size_t>(classes_));
  for (std::int64_t q = 0; q < n; ++q) {
    std::fill(votes.begin(), votes.end(), 0.0);
    double sum = 0;
    for (std::int64_t j = q * found; j < (q + 1) * found; ++j) {
      const double vote = std::exp((similarity[j] - similarity[q * found]) / temperature_);
      votes[static_cast<std::size_t>(labels[index[j]])] += vote;
      sum += vote;
    }
    for (const double vote : votes) *out++ = static_cast<float>(vote / sum);
  }
  return scores;
}

SoftmaxRegression::SoftmaxRegression(const LabeledPatches& patches,
                                     const RegressionOptions& options) {
  const torch::NoGradGuard no_grad;
  if (!(options.weight_decay >= 0) || options.iterations < 1)
    fail(ErrorKind::Usage,
         "[patches] the linear classifier needs a weight decay of at least 0 and an iteration: {}, "
         "{}",
         options.weight_decay, options.iterations);
  check(patches);
  mean_ = patches.features.mean(0);                                   // [D]
  scale_ = 1 / (patches.features.std(0, /*unbiased=*/false) + 1e-6);  // [D]
  const auto inputs = standardized(patches.features);                 // [n, D]
  const auto inputs_of = inputs.t().contiguous();                     // [D, n]
  const auto truth = torch::zeros({inputs.size(0), patches.classes})
                         .scatter_(1, patches.labels.unsqueeze(1), 1.0);  // [n, C]
  weights_ = torch::zeros({inputs.size(1), patches.classes});
  bias_ = torch::zeros({patches.classes});
  torch::optim::LBFGS optimizer({weights_, bias_}, torch::optim::LBFGSOptions(1)
                                                       .max_iter(options.iterations)
                                                       .tolerance_grad(1e-6)
                                                       .tolerance_change(1e-9)
                                                       .line_search_fn("strong_wolfe"));
  const auto closure = [&]() -> torch::Tensor {
    const auto log_share = torch::log_softmax(torch::addmm(bias_, inputs, weights_), 1);  // [n, C]
    const auto slope = (log_share.exp() - truth) / inputs.size(0);                        // [n, C]
    weights_.mutable_grad() = torch::addmm(options.weight_decay * weights_, inputs_of, slope);
    bias_.mutable_grad() = slope.sum(0);
    return -(truth * log_share).sum() / inputs.size(0) +
           0.5 * options.weight_decay * weights_.square().sum();
  };
  optimizer.step(closure);
  loss_ = closure().item<double>();
}

torch::Tensor SoftmaxRegression::standardized(const torch::Tensor& features) const {
  return (features - mean_) * scale_;
}

torch::Tensor SoftmaxRegression::operator()(const torch::Tensor& features) const {
  const torch::NoGradGuard no_grad;
  return torch::addmm(bias_, standardized(features), weights_);  // [n, C]
}

}  // namespace dino::eval
