// Votes on top of embed::nearest_neighbors. Section 4.1/4.2 of the protocol: DINO sums exp(s/T),
// DINOv2 softmax(s/T); the two differ by a factor per query and rank alike.
#include "dino/eval/knn.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "dino/base/error.h"
#include "dino/embed/neighbors.h"

namespace dino::eval {
namespace {

void check(const LabeledFeatures& set, const char* what) {
  if (!set.features.defined() || set.features.dim() != 2 || set.features.size(0) == 0)
    fail(ErrorKind::Data, "[knn] the {} holds no features", what);
  if (set.features.size(0) != static_cast<std::int64_t>(set.labels.size()))
    fail(ErrorKind::Data, "[knn] the {} has {} rows but {} labels", what, set.features.size(0),
         set.labels.size());
  for (std::size_t i = 0; i < set.labels.size(); ++i)
    if (set.labels[i] < 0)
      fail(ErrorKind::Data,
           "[knn] the {} has no label for row {}; give a source with class folders or a label file",
           what, i);
}

/** Running class scores of one query; cleared in time proportional to the classes seen. */
class Ballot {
 public:
  explicit Ballot(std::int64_t classes) : score_(static_cast<std::size_t>(classes), 0.0) {}

  void vote(std::int64_t label, double weight) {
    if (weight == 0) return;  // underflow: too far away to count
    auto& score = score_[static_cast<std::size_t>(label)];
    if (score == 0) seen_.push_back(label);
    score += weight;
  }
  /** Classes with votes that rank before `label`; all of them if it has none. */
  std::int64_t rank(std::int64_t label) const {
    const auto index = static_cast<std::size_t>(label);
    const double own = index < score_.size() ? score_[index] : 0.0;
    if (own == 0) return std::max<std::int64_t>(5, static_cast<std::int64_t>(seen_.size()));
    return std::count_if(seen_.begin(), seen_.end(), [&](std::int64_t other) {
      const double score = score_[static_cast<std::size_t>(other)];
      return score > own || (score == own && other < label);
    });
  }
  std::int64_t winner() const {
    return *std::min_element(seen_.begin(), seen_.end(), [&](std::int64_t a, std::int64_t b) {
      const double x = score_[static_cast<std::size_t>(a)], y = score_[static_cast<std::size_t>(b)];
      return x > y || (x == y && a < b);
    });
  }
  void clear() {
    for (const auto label : seen_) score_[static_cast<std::size_t>(label)] = 0;
    seen_.clear();
  }

 private:
  std::vector<double> score_;
  std::vector<std::int64_t> seen_;
};

void check(const KnnOptions& options) {
  if (options.k.empty()) fail(ErrorKind::Usage, "[knn] no k given; the usual one is 20");
  for (const int k : options.k)
    if (k < 1) fail(ErrorKind::Usage, "[knn] k must be at least 1: {}", k);
  if (!(options.temperature > 0) || !std::isfinite(options.temperature))
    fail(ErrorKind::Usage, "[knn] temperature must be above 0: {}; the usual one is 0.07",
         options.temperature);
}

}  // namespace

const KnnScore& KnnResult::at(int k) const {
  for (const auto& score : scores)
    if (score.k == k) return score;
  fail(ErrorKind::Usage, "[knn] no score for k = {}", k);
}

KnnResult knn_classify(const LabeledFeatures& gallery, const LabeledFeatures& queries,
                       const KnnOptions& options) {
  const torch::NoGradGuard no_grad;
  check(options);
  check(gallery, "gallery");
  check(queries, "query set");
  if (gallery.features.size(1) != queries.features.size(1))
    fail(ErrorKind::Data, "[knn] gallery features have {} dimensions, query features {}",
         gallery.features.size(1), queries.features.size(1));

  const auto rows = embed::cosine_rows(queries.features, gallery.features, options.center);
  const auto neighbors =
      embed::nearest_neighbors(rows.queries, rows.gallery,
                               {.k = *std::max_element(options.k.begin(), options.k.end()),
                                .skip_self = options.skip_first_nn,
                                .query_tile = options.query_tile,
                                .gallery_tile = options.gallery_tile});

  const std::int64_t n = queries.features.size(0), found = neighbors.index.size(1);
  const std::int64_t classes = 1 + *std::max_element(gallery.labels.begin(), gallery.labels.end());
  const auto* similarity = neighbors.similarity.const_data_ptr<double>();
  const auto* index = neighbors.index.const_data_ptr<std::int64_t>();
  KnnResult result;
  Ballot ballot(classes);
  for (const int k : options.k) {
    std::int64_t first = 0, first_five = 0;
    auto& predictions = result.predictions.emplace_back();
    predictions.reserve(static_cast<std::size_t>(n));
    for (std::int64_t q = 0; q < n; ++q) {
      const double* s = similarity + q * found;
      // Relative to the nearest neighbor, which keeps the ranking and prevents overflow.
      for (std::int64_t j = 0; j < std::min<std::int64_t>(k, found); ++j)
        ballot.vote(gallery.labels[static_cast<std::size_t>(index[q * found + j])],
                    std::exp((s[j] - s[0]) / options.temperature));
      const std::int64_t rank = ballot.rank(queries.labels[static_cast<std::size_t>(q)]);
      first += rank == 0 ? 1 : 0;
      first_five += rank < 5 ? 1 : 0;
      predictions.push_back(ballot.winner());
      ballot.clear();
    }
    const double share = 1.0 / static_cast<double>(n);
    result.scores.push_back(
        {k, static_cast<double>(first) * share, static_cast<double>(first_five) * share});
  }
  return result;
}

}  // namespace dino::eval
