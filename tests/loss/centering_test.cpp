// Teacher targets: what must hold for any logits. Values against lightly's are in
// dino_loss_test.cpp.
#include "dino/loss/centering.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "tests/golden/synthetic_weights.h"

namespace {

using dino::loss::center_and_sharpen;

TEST(Centering, RowsAreSoftmaxOfCenteredLogits) {
  const auto logits = dino::golden::image("teacher", {6, 50});
  const auto center = dino::golden::image("center", {50}) / 4;
  const auto targets = center_and_sharpen(logits, center, 0.07);
  const auto expected = ((logits - center).to(torch::kFloat64) / 0.07).softmax(1);
  EXPECT_LE((targets.probabilities - expected).abs().max().item<double>(), 1e-6);
  const auto entropy = -(expected * expected.log()).sum(1).mean();
  EXPECT_NEAR(targets.entropy.item<double>(), entropy.item<double>(), 1e-5);
  EXPECT_FALSE(targets.probabilities.requires_grad());
}

TEST(Centering, EntropyShowsBothCollapses) {
  constexpr std::int64_t kPrototypes = 128;
  const auto zero = torch::zeros({kPrototypes});
  EXPECT_NEAR(center_and_sharpen(torch::ones({3, kPrototypes}), zero, 0.04).entropy.item<double>(),
              std::log(static_cast<double>(kPrototypes)), 1e-5);
  auto one_hot = torch::zeros({3, kPrototypes});
  one_hot.select(1, 5).fill_(10);
  EXPECT_NEAR(center_and_sharpen(one_hot, zero, 0.04).entropy.item<double>(), 0, 1e-6);
}

// The center takes away what all samples share: a logit that always wins stops winning.
TEST(Centering, CenterRemovesAConstantWinner) {
  auto logits = dino::golden::image("teacher", {64, 16}) / 10;
  logits.select(1, 3).add_(1);
  torch::Tensor center = torch::zeros({16});
  EXPECT_GT(
      center_and_sharpen(logits, center, 0.04).probabilities.select(1, 3).min().item<double>(),
      0.9);
  for (int step = 0; step < 100; ++step) dino::loss::update_center(center, logits.mean(0), 0.9);
  EXPECT_LT(
      center_and_sharpen(logits, center, 0.04).probabilities.select(1, 3).mean().item<double>(),
      0.3);
}

}  // namespace
