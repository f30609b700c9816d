// patches.json comes from tests/golden/eval/make_patches.py: NumPy and scikit-learn.
#include "dino/eval/patch_classifiers.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "dino/base/error.h"
#include "dino/eval/segmentation_score.h"

namespace dino::eval {
namespace {

nlohmann::json patches_golden() {
  return nlohmann::json::parse(std::ifstream(DINO_SOURCE_DIR "/tests/golden/eval/patches.json"));
}

torch::Tensor table_of(const nlohmann::json& rows) {
  std::vector<float> values;
  for (const auto& row : rows)
    for (const auto& value : row) values.push_back(value.get<float>());
  return torch::tensor(values).view({std::ssize(rows), -1});
}

/** The features of make_patches.py. */
LabeledPatches patches_of(const nlohmann::json& golden) {
  constexpr std::int64_t kRows = 300, kDim = 5;
  std::vector<float> values;
  for (std::int64_t r = 0; r < kRows; ++r)
    for (std::int64_t c = 0; c < kDim; ++c)
      values.push_back(
          static_cast<float>(static_cast<double>((r * r * 3 + c * 17 + r * c * 5) % 101) / 50 - 1));
  return {torch::tensor(values).view({kRows, kDim}),
          torch::tensor(golden["labels"].get<std::vector<std::int64_t>>()), 4};
}

TEST(SegmentationScore, EqualsScikitLearn) {
  const auto golden = patches_golden();
  std::vector<std::uint8_t> truth;
  std::vector<std::int64_t> predicted;
  for (std::int64_t pixel = 0; pixel < 500; ++pixel) {
    truth.push_back(static_cast<std::uint8_t>(pixel * pixel % 11 % 5));
    predicted.push_back(pixel % 3 == 0 ? truth.back() : (pixel * 7 + 3) % 13 % 6);
  }
  ConfusionMatrix matrix(6);
  matrix.add(std::span(truth).first(123), std::span(predicted).first(123));
  matrix.add(std::span(truth).subspan(123), std::span(predicted).subspan(123));
  const SegmentationScore score = matrix.score();
  EXPECT_NEAR(score.mean_iou, golden["mean_iou"].get<double>(), 1e-12);
  EXPECT_NEAR(score.pixel_accuracy, golden["pixel_accuracy"].get<double>(), 1e-12);
  ASSERT_EQ(score.iou.size(), 6u);
  std::size_t present = 0;
  for (const auto& iou : score.iou) present += iou.has_value() ? 1 : 0;
  ASSERT_EQ(present, golden["present"].size());
  for (std::size_t i = 0; i < present; ++i)
    EXPECT_NEAR(score.iou[golden["present"][i].get<std::size_t>()].value(),
                golden["iou"][i].get<double>(), 1e-12);
}

TEST(SegmentationScore, RefusesNothingAndUnequalLengths) {
  ConfusionMatrix matrix(2);
  EXPECT_THROW(matrix.score(), Error);
  const std::vector<std::uint8_t> truth(3);
  const std::vector<std::int64_t> predicted(2);
  EXPECT_THROW(matrix.add(truth, predicted), Error);
}

TEST(SoftmaxRegression, EqualsScikitLearn) {
  const auto golden = patches_golden();
  const LabeledPatches patches = patches_of(golden);
  const SoftmaxRegression regression(patches, {.weight_decay = 1e-2, .iterations = 200});
  EXPECT_NEAR(regression.loss(), golden["regression_loss"].get<double>(), 1e-6);
  const auto shares = torch::softmax(regression(patches.features), 1);
  EXPECT_LT((shares - table_of(golden["shares"])).abs().max().item<double>(), 2e-3);
  const SoftmaxRegression again(patches, {.weight_decay = 1e-2, .iterations = 200});
  EXPECT_TRUE(torch::equal(again(patches.features), regression(patches.features)));
}

TEST(NeighborVotes, EqualBruteForce) {
  const auto golden = patches_golden();
  const LabeledPatches all = patches_of(golden);
  const auto rows = torch::arange(300);
  const auto voting = rows.masked_select(rows.remainder(3) != 0);
  const auto asking = rows.masked_select(rows.remainder(3) == 0);
  const NeighborVotes votes(
      {all.features.index_select(0, voting), all.labels.index_select(0, voting), all.classes}, 20,
      0.07);
  const auto scores = votes(all.features.index_select(0, asking));
  EXPECT_LT((scores - table_of(golden["votes"])).abs().max().item<double>(), 1e-5);
  EXPECT_LT((scores.sum(1) - 1).abs().max().item<double>(), 1e-6);
}

TEST(PatchClassifiers, RefuseWhatTheyCannotUse) {
  const LabeledPatches none{torch::empty({0, 3}), torch::empty({0}, torch::kInt64), 2};
  const LabeledPatches some{torch::ones({4, 3}), torch::zeros({4}, torch::kInt64), 2};
  EXPECT_THROW(NeighborVotes(none, 20, 0.07), Error);
  EXPECT_THROW(NeighborVotes(some, 0, 0.07), Error);
  EXPECT_THROW(NeighborVotes(some, 20, 0), Error);
  EXPECT_THROW(SoftmaxRegression(none, {}), Error);
  EXPECT_THROW(SoftmaxRegression(some, {.weight_decay = -1}), Error);
  EXPECT_THROW(SoftmaxRegression(some, {.iterations = 0}), Error);
  // Features that are all equal have no standard deviation to divide by.
  EXPECT_TRUE(SoftmaxRegression(some, {})(some.features).isfinite().all().item<bool>());
}

}  // namespace
}  // namespace dino::eval
