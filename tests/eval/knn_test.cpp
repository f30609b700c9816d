// knn.json comes from tests/golden/eval/make.py: NumPy brute force, confirmed by scikit-learn.
#include "dino/eval/knn.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "dino/base/error.h"

namespace dino::eval {
namespace {

torch::Tensor to_tensor(const nlohmann::json& rows) {
  std::vector<float> values;
  for (const auto& row : rows)
    for (const auto& value : row) values.push_back(value.get<float>());
  return torch::tensor(values).view({static_cast<std::int64_t>(rows.size()), -1});
}

struct Golden {
  nlohmann::json json =
      nlohmann::json::parse(std::ifstream(DINO_SOURCE_DIR "/tests/golden/eval/knn.json"));
  std::vector<std::int64_t> gallery_labels = json.at("gallery_labels"),
                            query_labels = json.at("query_labels");
  LabeledFeatures gallery{to_tensor(json.at("gallery")), gallery_labels};
  LabeledFeatures queries{to_tensor(json.at("queries")), query_labels};
};

KnnOptions tiles(int query, int gallery) {
  return {.k = {1, 5, 20, 50}, .query_tile = query, .gallery_tile = gallery};
}

TEST(Knn, EqualsBruteForce) {
  const Golden golden;
  for (const bool center : {false, true}) {
    KnnOptions options = tiles(256, 4096);
    options.center = center;
    const auto result = knn_classify(golden.gallery, golden.queries, options);
    for (const auto& expected : golden.json.at("cases")) {
      if (expected.at("center") != center) continue;
      const int k = expected.at("k");
      EXPECT_DOUBLE_EQ(result.at(k).top1, expected.at("top1")) << k;
      EXPECT_DOUBLE_EQ(result.at(k).top5, expected.at("top5")) << k;
      const auto position = static_cast<std::size_t>(&result.at(k) - result.scores.data());
      EXPECT_EQ(result.predictions[position],
                expected.at("predictions").get<std::vector<std::int64_t>>());
    }
  }
}

TEST(Knn, TileSizesAndThreadsChangeNothing) {
  const Golden golden;
  const int threads = at::get_num_threads();
  const auto expected = knn_classify(golden.gallery, golden.queries, tiles(256, 4096)).predictions;
  for (const auto& [query, gallery] : {std::pair{1, 1}, {7, 13}, {40, 119}, {39, 120}, {3, 64}}) {
    at::set_num_threads(3);
    EXPECT_EQ(knn_classify(golden.gallery, golden.queries, tiles(query, gallery)).predictions,
              expected)
        << query << " x " << gallery;
    at::set_num_threads(threads);
  }
}

TEST(Knn, QueriesAreIndependentOfEachOther) {
  const Golden golden;
  const auto all = knn_classify(golden.gallery, golden.queries, tiles(256, 4096)).predictions;
  const auto reversed = golden.queries.features.flip(0);
  std::vector<std::int64_t> labels(golden.query_labels.rbegin(), golden.query_labels.rend());
  auto flipped = knn_classify(golden.gallery, {reversed, labels}, tiles(256, 4096)).predictions;
  for (auto& row : flipped) std::reverse(row.begin(), row.end());
  EXPECT_EQ(flipped, all);
}

TEST(Knn, KBeyondTheGalleryUsesAllOfIt) {
  const Golden golden;
  const auto result = knn_classify(golden.gallery, golden.queries, {.k = {120, 100000}});
  EXPECT_EQ(result.predictions[0], result.predictions[1]);
  EXPECT_EQ(result.scores[1].k, 100000);
}

TEST(Knn, SkippingItselfIsLeaveOneOut) {
  // Two tight pairs of opposite classes: with itself left out, each point's nearest neighbor is of
  // the other class.
  const auto points = torch::tensor({{1.0F, 0.0F}, {1.0F, 0.1F}, {0.0F, 1.0F}, {0.1F, 1.0F}});
  const std::vector<std::int64_t> labels = {0, 1, 0, 1};
  const KnnOptions itself{.k = {1}};
  EXPECT_DOUBLE_EQ(knn_classify({points, labels}, {points, labels}, itself).at(1).top1, 1);
  const KnnOptions others{.k = {1}, .skip_first_nn = true};
  EXPECT_DOUBLE_EQ(knn_classify({points, labels}, {points, labels}, others).at(1).top1, 0);
}

TEST(Knn, EqualScoresGoToTheSmallerClassAndEmptyClassesAreNoAnswer) {
  const auto gallery = torch::tensor({{1.0F, 0.0F}, {1.0F, 0.0F}});
  const auto query = torch::tensor({{2.0F, 0.0F}});
  const std::vector<std::int64_t> labels = {7, 3}, three = {3}, five = {5};
  const auto result = knn_classify({gallery, labels}, {query, three}, {.k = {2}});
  EXPECT_EQ(result.predictions[0][0], 3);
  const auto empty = knn_classify({gallery, labels}, {query, five}, {.k = {2}});
  EXPECT_DOUBLE_EQ(empty.at(2).top5, 0);
}

TEST(Knn, TinyTemperaturesDoNotOverflow) {
  const Golden golden;
  const auto nearest = knn_classify(golden.gallery, golden.queries, {.k = {1}});
  const auto sharp = knn_classify(golden.gallery, golden.queries, {.k = {50}, .temperature = 1e-6});
  EXPECT_EQ(sharp.predictions[0], nearest.predictions[0]);
}

TEST(Knn, RefusesWhatDoesNotFit) {
  const auto features = torch::ones({2, 3});
  const std::vector<std::int64_t> two = {0, 1}, three = {0, 1, 2}, missing = {0, -1};
  const auto kind = [&](const LabeledFeatures& gallery, const LabeledFeatures& queries,
                        const KnnOptions& options) {
    try {
      knn_classify(gallery, queries, options);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::Internal;
  };
  EXPECT_EQ(kind({features, three}, {features, two}, {}), ErrorKind::Data);
  EXPECT_EQ(kind({features, two}, {features, missing}, {}), ErrorKind::Data);
  EXPECT_EQ(kind({features, two}, {torch::ones({2, 4}), two}, {}), ErrorKind::Data);
  EXPECT_EQ(kind({torch::ones({0, 3}), {}}, {features, two}, {}), ErrorKind::Data);
  EXPECT_EQ(kind({features, two}, {features, two}, {.k = {}}), ErrorKind::Usage);
  EXPECT_EQ(kind({features, two}, {features, two}, {.k = {0}}), ErrorKind::Usage);
  EXPECT_EQ(kind({features, two}, {features, two}, {.temperature = 0}), ErrorKind::Usage);
  EXPECT_EQ(kind({features, two}, {features * NAN, two}, {}), ErrorKind::Usage);
}

}  // namespace
}  // namespace dino::eval
