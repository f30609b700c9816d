// Brute force in tiles: one matrix product per (query tile, gallery tile), then a scan that skips
// whatever cannot enter the best list. Reads every similarity once, keeps few: memory does not grow
// with the gallery.
#include "dino/embed/neighbors.h"

#include <ATen/Parallel.h>
#include <torch/nn/functional/normalization.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "dino/base/error.h"

namespace dino::embed {
namespace {

struct Candidate {
  double similarity;
  std::int64_t index;
};

bool better(const Candidate& a, const Candidate& b) {
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.index < b.index;
}

/** Four independent float64 sums, always added in the same order. */
double dot(const float* a, const float* b, std::int64_t dim) {
  double sum[4] = {0, 0, 0, 0};
  std::int64_t i = 0;
  for (; i + 4 <= dim; i += 4)
    for (std::int64_t lane = 0; lane < 4; ++lane)
      sum[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
  for (; i < dim; ++i) sum[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/** The best `keep` gallery rows of one query, amortized: grows to twice that, then halves. fp32
 * products of different tile shapes differ in their last bits, so they only rule out: whatever may
 * belong to the best by more than their error is ordered by its float64 product, then its index. */
class BestList {
 public:
  /** `slack`: by how much an fp32 product may be wrong. */
  BestList(std::int64_t keep, const float* query, const float* gallery, std::int64_t dim,
           double slack)
      : keep_(static_cast<std::size_t>(keep)),
        query_(query),
        gallery_(gallery),
        dim_(dim),
        slack_(slack) {
    items_.reserve(2 * keep_);
  }

  void scan(const float* row, std::int64_t count, std::int64_t first_index, std::int64_t skip) {
    constexpr std::int64_t kStride = 32;  // long enough to vectorize, short enough to skip often
    for (std::int64_t begin = 0; begin < count; begin += kStride) {
      const std::int64_t end = std::min(begin + kStride, count);
      int hits = 0;
      for (std::int64_t j = begin; j < end; ++j) hits |= row[j] >= threshold_ ? 1 : 0;
      if (hits == 0) continue;
      for (std::int64_t j = begin; j < end; ++j)
        if (row[j] >= threshold_ && first_index + j != skip) push(first_index + j);
    }
  }

  std::vector<Candidate>& items() { return items_; }

 private:
  void push(std::int64_t index) {
    const Candidate candidate{dot(query_, gallery_ + index * dim_, dim_), index};
    if (is_full_ && !better(candidate, worst_)) return;
    items_.push_back(candidate);
    if (items_.size() < 2 * keep_) return;
    const auto last = items_.begin() + static_cast<std::ptrdiff_t>(keep_) - 1;
    std::nth_element(items_.begin(), last, items_.end(), better);
    worst_ = *last;
    is_full_ = true;
    threshold_ = std::nextafter(static_cast<float>(worst_.similarity - slack_),
                                -std::numeric_limits<float>::infinity());
    items_.resize(keep_);
  }

  std::size_t keep_;
  const float *query_, *gallery_;
  std::int64_t dim_;
  double slack_;
  bool is_full_ = false;
  Candidate worst_ = {};  // of the best, once there are enough
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<Candidate> items_;
};

/** By how much an fp32 product of rows of these lengths may be wrong. The rounding errors of its
 * terms add up like a random walk; eight times its standard deviation is a safe bound. */
double product_error(std::int64_t dim, double query_length, double gallery_length) {
  return std::ldexp(8 * std::sqrt(static_cast<double>(dim)), -24) * query_length * gallery_length;
}

double longest_row(const torch::Tensor& rows) {
  return rows.size(0) == 0 ? 0.0 : rows.norm(2, {1}).max().item<double>();
}

void check(const torch::Tensor& features, const char* what) {
  if (!features.defined() || features.dim() != 2 || features.scalar_type() != torch::kFloat32 ||
      !features.device().is_cpu())
    fail(ErrorKind::Usage, "[nearest_neighbors] {} must be a [n, D] float32 CPU tensor", what);
  if (!features.isfinite().all().item<bool>())
    fail(ErrorKind::Usage,
         "[nearest_neighbors] {} hold values that are not finite; look for NaN in the network",
         what);
}

}  // namespace

torch::Tensor l2_normalize(const torch::Tensor& features) {
  const torch::NoGradGuard no_grad;
  return torch::nn::functional::normalize(features.to(torch::kFloat32),
                                          torch::nn::functional::NormalizeFuncOptions().dim(-1));
}

CosineRows cosine_rows(const torch::Tensor& queries, const torch::Tensor& gallery, bool center) {
  const torch::NoGradGuard no_grad;
  if (!center) return {l2_normalize(queries), l2_normalize(gallery)};
  const auto mean = gallery.mean(0, /*keepdim=*/true, torch::kFloat64);  // [1, D]
  return {l2_normalize(queries - mean), l2_normalize(gallery - mean)};
}

Neighbors nearest_neighbors(const torch::Tensor& queries_in, const torch::Tensor& gallery_in,
                            const SearchOptions& options) {
  const torch::NoGradGuard no_grad;
  check(queries_in, "queries");
  check(gallery_in, "gallery");
  const auto queries = queries_in.contiguous();  // [n, D]
  const auto gallery = gallery_in.contiguous();  // [m, D]
  const std::int64_t n = queries.size(0), m = gallery.size(0), dim = queries.size(1);
  if (gallery.size(1) != dim)
    fail(ErrorKind::Usage, "[nearest_neighbors] queries have {} dimensions, the gallery {}", dim,
         gallery.size(1));
  const std::int64_t available = m - (options.skip_self ? 1 : 0);
  if (options.k < 1 || options.query_tile < 1 || options.gallery_tile < 1)
    fail(ErrorKind::Usage, "[nearest_neighbors] k and tile sizes must be at least 1: {}, {}, {}",
         options.k, options.query_tile, options.gallery_tile);
  if (available < 1)
    fail(ErrorKind::Usage, "[nearest_neighbors] the gallery holds nothing to compare with");
  const std::int64_t k = std::min<std::int64_t>(options.k, available);
  const double slack = product_error(dim, longest_row(queries), longest_row(gallery));
  const auto for_each_row = [](std::int64_t rows, const auto& work) {
    at::parallel_for(0, rows, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r) work(r);
    });
  };

  Neighbors result{torch::empty({n, k}, torch::kFloat64), torch::empty({n, k}, torch::kInt64)};
  const float* query_data = queries.const_data_ptr<float>();
  const float* gallery_data = gallery.const_data_ptr<float>();
  auto* similarity = result.similarity.data_ptr<double>();
  auto* index = result.index.data_ptr<std::int64_t>();
  const auto gallery_columns = gallery.t();  // [D, m]
  torch::Tensor tile;                        // reused: allocation would cost more than the scan
  for (std::int64_t q0 = 0; q0 < n; q0 += options.query_tile) {
    const std::int64_t rows = std::min<std::int64_t>(options.query_tile, n - q0);
    const auto query_rows = queries.narrow(0, q0, rows);  // [rows, D]
    std::vector<BestList> best;
    for (std::int64_t r = 0; r < rows; ++r)
      best.emplace_back(k, query_data + (q0 + r) * dim, gallery_data, dim, slack);
    for (std::int64_t g0 = 0; g0 < m; g0 += options.gallery_tile) {
      const std::int64_t columns = std::min<std::int64_t>(options.gallery_tile, m - g0);
      if (!tile.defined() || tile.size(0) != rows || tile.size(1) != columns)
        tile = torch::empty({rows, columns});
      at::mm_out(tile, query_rows, gallery_columns.narrow(1, g0, columns));  // [rows, columns]
      const float* values = tile.const_data_ptr<float>();
      for_each_row(rows, [&](std::int64_t r) {
        best[static_cast<std::size_t>(r)].scan(values + r * columns, columns, g0,
                                               options.skip_self ? q0 + r : -1);
      });
    }
    for_each_row(rows, [&](std::int64_t r) {
      auto& items = best[static_cast<std::size_t>(r)].items();
      const std::int64_t q = q0 + r;
      std::partial_sort(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(k), items.end(),
                        better);
      for (std::int64_t j = 0; j < k; ++j) {
        similarity[q * k + j] = items[static_cast<std::size_t>(j)].similarity;
        index[q * k + j] = items[static_cast<std::size_t>(j)].index;
      }
    });
  }
  return result;
}

}  // namespace dino::embed
