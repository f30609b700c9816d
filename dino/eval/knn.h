// Weighted k-nearest-neighbor classification of frozen features: how DINO measures a backbone
// without training anything on top (Caron et al. 2021, section 4.1; the protocol of Wu et al.
// 2018).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace dino::eval {

struct KnnOptions {
  std::vector<int> k = {
      10, 20, 100,
      200};  ///< neighbors that vote; several at once cost as much as the largest (paper: 20)
  double temperature = 0.07;  ///< a neighbor at cosine s votes with exp(s / temperature)
  bool center = false;  ///< subtract the gallery's mean feature from both sides before normalizing
  bool skip_first_nn =
      false;  ///< gallery and queries are the same rows: leave each query itself out
  int query_tile = 1024,
      gallery_tile = 8192;  ///< rows per matrix product; no influence on the result
};

/** Share of queries, in [0, 1], whose own class comes first, or among the first five. */
struct KnnScore {
  int k = 0;  ///< as asked for; clipped to the gallery when voting
  double top1 = 0, top5 = 0;
};

struct KnnResult {
  std::vector<KnnScore> scores;                        ///< one per option k, in that order
  std::vector<std::vector<std::int64_t>> predictions;  ///< [k][query] the winning class
  /** The score of that k; Error{Usage} if it was not asked for. */
  const KnnScore& at(int k) const;
};

/** Features with one label each. Borrowed. */
struct LabeledFeatures {
  torch::Tensor features;                ///< [n, D] fp32
  std::span<const std::int64_t> labels;  ///< [n], each >= 0
};

/** Rows L2-normalized, cosine similarity, votes exp(s/T) summed per class over the k nearest; equal
 * similarities and equal scores go to the smaller index. A class without votes is never a
 * prediction, so it cannot fill up the top five. Deterministic and independent of tile sizes.
 * Throws Error{Data} on missing labels or labels that do not match rows, Error{Usage} on options
 * out of range. */
KnnResult knn_classify(const LabeledFeatures& gallery, const LabeledFeatures& queries,
                       const KnnOptions& options);

}  // namespace dino::eval
