#include "dino/embed/neighbors.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/base/error.h"

namespace dino::embed {
namespace {

/** Sorts all float64 similarities: no tiles, no lists, no threads. */
Neighbors brute_force(const torch::Tensor& queries, const torch::Tensor& gallery, std::int64_t k) {
  const auto all = torch::mm(queries.to(torch::kFloat64), gallery.to(torch::kFloat64).t());
  const auto [values, order] = all.sort(/*stable=*/true, /*dim=*/1, /*descending=*/true);
  return {values.narrow(1, 0, k), order.narrow(1, 0, k)};
}

TEST(NearestNeighbors, EqualBruteForceForAnyTiling) {
  torch::manual_seed(1);
  const auto queries = l2_normalize(torch::randn({37, 24})),
             gallery = l2_normalize(torch::randn({501, 24}));
  const auto expected = brute_force(queries, gallery, 60);
  for (const auto& [query_tile, gallery_tile] :
       {std::pair{256, 4096}, {1, 1}, {5, 33}, {37, 500}}) {
    const auto found = nearest_neighbors(
        queries, gallery, {.k = 60, .query_tile = query_tile, .gallery_tile = gallery_tile});
    EXPECT_TRUE(torch::equal(found.index, expected.index)) << query_tile << " x " << gallery_tile;
    EXPECT_TRUE(torch::allclose(found.similarity, expected.similarity, 1e-12, 1e-12));
  }
}

TEST(NearestNeighbors, EqualRowsComeInOrderOfIndex) {
  const auto gallery =
      l2_normalize(torch::ones({300, 5}));  // a collapsed network: every row the same
  const auto found =
      nearest_neighbors(gallery.narrow(0, 0, 3), gallery, {.k = 4, .gallery_tile = 7});
  EXPECT_TRUE(torch::equal(found.index, torch::arange(4).expand({3, 4})));
  const auto others = nearest_neighbors(gallery, gallery, {.k = 2, .skip_self = true});
  EXPECT_TRUE(torch::equal(others.index[0], torch::tensor({1, 2}, torch::kInt64)));
  EXPECT_TRUE(torch::equal(others.index[1], torch::tensor({0, 2}, torch::kInt64)));
}

/** Frames of a video: thousands of rows that differ by less than fp32 products are good to, and
 * more of them than any margin. */
TEST(NearestNeighbors, ManyAlmostEqualRowsGiveOneAnswerForAnyTiling) {
  torch::manual_seed(3);
  const auto row = torch::randn({1, 96});
  const auto gallery =
      l2_normalize(torch::cat({row.expand({400, 96}), row + 1e-7 * torch::randn({400, 96}),
                               torch::randn({100, 96}), row.expand({100, 96})}));
  const auto queries = l2_normalize(torch::cat({row, torch::randn({4, 96})}));
  const auto expected = nearest_neighbors(queries, gallery, {.k = 20});
  const auto exact = brute_force(queries, gallery, 20);
  EXPECT_TRUE(torch::allclose(expected.similarity, exact.similarity, 1e-12, 1e-12));
  for (const auto& [query_tile, gallery_tile] : {std::pair{1, 1}, {2, 7}, {5, 64}, {3, 999}}) {
    const auto found = nearest_neighbors(
        queries, gallery, {.k = 20, .query_tile = query_tile, .gallery_tile = gallery_tile});
    EXPECT_TRUE(torch::equal(found.index, expected.index)) << query_tile << " x " << gallery_tile;
  }
}

/** Similarities that differ by less than the rounding of their fp32 products. */
TEST(NearestNeighbors, OrdersWhatFp32ProductsCannot) {
  torch::manual_seed(4);
  constexpr std::int64_t kDim = 96, kRows = 4000;
  const auto query = l2_normalize(torch::randn({1, kDim}));
  auto aside = torch::randn({kRows, kDim});
  aside = l2_normalize(aside - aside.mm(query.t()).mm(query));  // at right angles to the query
  const auto gallery = l2_normalize(query + aside);             // all at 45 degrees
  for (const int k : {1, 3, 40}) {
    const auto found = nearest_neighbors(query, gallery, {.k = k, .gallery_tile = 64});
    EXPECT_TRUE(torch::equal(found.index, brute_force(query, gallery, k).index)) << k;
  }
}

TEST(NearestNeighbors, PermutingTheGalleryPermutesTheAnswer) {
  torch::manual_seed(2);
  const auto queries = l2_normalize(torch::randn({11, 16})),
             gallery = l2_normalize(torch::randn({200, 16}));
  const auto order = torch::randperm(200);
  const auto plain = nearest_neighbors(queries, gallery, {.k = 9});
  const auto shuffled = nearest_neighbors(queries, gallery.index_select(0, order), {.k = 9});
  EXPECT_TRUE(
      torch::equal(order.index_select(0, shuffled.index.flatten()).view({11, 9}), plain.index));
}

TEST(NearestNeighbors, RefusesWhatItCannotAnswer) {
  const auto rows = torch::ones({3, 4});
  EXPECT_THROW(nearest_neighbors(rows, torch::ones({3, 5}), {}), Error);
  EXPECT_THROW(nearest_neighbors(rows, torch::ones({0, 4}), {}), Error);
  EXPECT_THROW(nearest_neighbors(rows, rows.to(torch::kFloat64), {}), Error);
  EXPECT_THROW(nearest_neighbors(rows, rows, {.k = 0}), Error);
  EXPECT_THROW(nearest_neighbors(rows.narrow(0, 0, 1), rows.narrow(0, 0, 1), {.skip_self = true}),
               Error);
  EXPECT_THROW(nearest_neighbors(rows, rows * INFINITY, {}), Error);
}

TEST(L2Normalize, GivesUnitRowsAndKeepsZeroRows) {
  const auto rows = l2_normalize(torch::tensor({{3.0F, 4.0F}, {0.0F, 0.0F}}));
  EXPECT_TRUE(torch::allclose(rows, torch::tensor({{0.6F, 0.8F}, {0.0F, 0.0F}})));
}

}  // namespace
}  // namespace dino::embed
