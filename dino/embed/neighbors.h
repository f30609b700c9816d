// Exact nearest-neighbor search by dot product or cosine similarity, for k-NN evaluation and
// contact sheets.
#pragma once
#include <torch/types.h>

#include <cstdint>

namespace dino::embed {

struct SearchOptions {
  int k = 20;  ///< neighbors per query, at least 1; clipped to the gallery
  /// Exclude gallery row i for query i (gallery and queries are the same rows)
  bool skip_self = false;
  int query_tile = 1024;  ///< rows of one matrix product; changes memory and speed, not the result
  int gallery_tile = 8192;
};

struct Neighbors {
  torch::Tensor similarity;  ///< [n, k] float64, descending
  torch::Tensor index;       ///< [n, k] int64, gallery rows; ties are ordered by index
};

/** Divides each row of `features` [n, D] fp32 by its L2 norm; rows of zeros stay zero. */
torch::Tensor l2_normalize(const torch::Tensor& features);

/** Queries and gallery prepared for cosine similarity: the gallery's mean row is subtracted from
 * both if `center`, then rows are L2-normalized. */
struct CosineRows {
  torch::Tensor queries, gallery;  ///< [n, D], [m, D] fp32
};
CosineRows cosine_rows(const torch::Tensor& queries, const torch::Tensor& gallery, bool center);

/** The k gallery rows with the largest dot product for each query; pass rows through l2_normalize
 * for cosine similarity. queries [n, D], gallery [m, D], fp32 on the CPU. Tiled fp32 products
 * exclude rows that cannot be among the k; the others are ordered by float64 dot products, ties by
 * index. So the result does not depend on tile sizes, even if many rows are equal. Throws
 * Error{Usage} on mismatched shapes and on rows that are not finite. Thread-safe; the work is done
 * by LibTorch's threads (at::set_num_threads). */
Neighbors nearest_neighbors(const torch::Tensor& queries, const torch::Tensor& gallery,
                            const SearchOptions& options);

}  // namespace dino::embed
