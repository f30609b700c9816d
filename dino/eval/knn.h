// Weighted k-nearest-neighbor classification of frozen features, DINO's evaluation of a backbone
// without training (Caron et al. 2021, section 4.1; the protocol of Wu et al. 2018).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace dino::eval {

struct KnnOptions {
  std::vector<int> k = {
      10, 20, 100,
      200};  ///< numbers of voting neighbors; several cost as much as the largest (paper: 20)
  double temperature = 0.07;  ///< a neighbor at cosine s votes with exp(s / temperature)
  bool center = false;  ///< subtract the gallery's mean feature from both sides before normalizing
  bool skip_first_nn = false;  ///< gallery and queries are the same rows: exclude each query itself
  int query_tile = 1024,
      gallery_tile = 8192;  ///< rows per matrix product; do not affect the result
};

/** The share of queries, in [0, 1], whose class is predicted first, or among the first five. */
struct KnnScore {
  int k = 0;  ///< as requested; clipped to the size of the gallery when voting
  double top1 = 0, top5 = 0;
};

struct KnnResult {
  std::vector<KnnScore> scores;                        ///< one per option k, in that order
  std::vector<std::vector<std::int64_t>> predictions;  ///< [option k][query] the predicted class
  /** The score of that k; throws Error{Usage} if it was not requested. */
  const KnnScore& at(int k) const;
};

/** Features with one label each. Borrows the labels. */
struct LabeledFeatures {
  torch::Tensor features;                ///< [n, D] fp32
  std::span<const std::int64_t> labels;  ///< [n], each >= 0
};

/** Classifies each query by votes exp(s/T) of its k nearest gallery rows, summed per class, where s
 * is the cosine similarity and T the temperature. Ties go to the smaller index. Classes without
 * votes are never predicted, also not among the top five. Deterministic and independent of tile
 * sizes. Throws Error{Data} on missing labels or labels that do not match rows, Error{Usage} on
 * options out of range. */
KnnResult knn_classify(const LabeledFeatures& gallery, const LabeledFeatures& queries,
                       const KnnOptions& options);

}  // namespace dino::eval
