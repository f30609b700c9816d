// Exact nearest neighbors by cosine similarity: the search under k-NN evaluation, contact sheets
// and duplicate hunting.
#pragma once
#include <torch/types.h>

#include <cstdint>

namespace dino::embed {

struct SearchOptions {
  int k = 20;  ///< neighbors per query, at least 1; clipped to the gallery
  bool skip_self =
      false;  ///< leave out gallery row i for query i (gallery and queries are the same set)
  int query_tile = 1024;  ///< rows of one matrix product; changes memory and speed, not the result
  int gallery_tile = 8192;
};

struct Neighbors {
  torch::Tensor similarity;  ///< [n, k] float64, descending
  torch::Tensor index;  ///< [n, k] int64, rows of the gallery; equal similarities by smaller index
};

/** Divides each row by its length; all-zero rows stay zero. fp32 in and out. */
torch::Tensor l2_normalize(const torch::Tensor& features);

/** Both sides ready for cosine similarity: minus the gallery's mean row if `center`, then unit
 * length. */
struct CosineRows {
  torch::Tensor queries, gallery;  ///< [n, D], [m, D] fp32
};
CosineRows cosine_rows(const torch::Tensor& queries, const torch::Tensor& gallery, bool center);

/** The k gallery rows with the largest dot product for each query; pass rows through l2_normalize
 * for cosine similarity. queries [n, D], gallery [m, D], fp32 on the CPU. Tiled fp32 products rule
 * out what cannot be among the k; the others are ordered by float64 dot products and, where these
 * are equal, by index. So the answer does not depend on tile sizes, whatever number of rows are
 * alike. Throws Error{Usage} on shapes that do not fit and on rows that are not finite.
 * Thread-safe; LibTorch's threads (at::set_num_threads) do the work. */
Neighbors nearest_neighbors(const torch::Tensor& queries, const torch::Tensor& gallery,
                            const SearchOptions& options);

}  // namespace dino::embed
