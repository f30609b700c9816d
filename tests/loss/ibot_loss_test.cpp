#include "dino/loss/ibot_loss.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <vector>

#include "dino/base/error.h"
#include "tests/golden/synthetic_weights.h"

namespace {

using dino::loss::ibot_loss;
constexpr double kTemperature = 0.1;

/** Written as the paper does: for each masked patch of each masked crop. */
torch::Tensor plain(const torch::Tensor& logits, const torch::Tensor& targets,
                    const std::vector<float>& weights, std::int64_t crops) {
  const torch::Tensor each =
      -(targets * (logits.to(torch::kFloat64) / kTemperature).log_softmax(1)).sum(1);
  const auto w = torch::tensor(std::vector<double>(weights.begin(), weights.end()));
  return (each * w).sum() / crops;
}

struct Case {
  std::int64_t patches, prototypes, crops;
};

TEST(IbotLoss, EqualsThePlainReadingWithItsGradient) {
  for (const auto& [patches, prototypes, crops] :
       {Case{1, 2, 2}, {7, 40, 4}, {300, 33, 64}, {5, 4096, 6}}) {
    SCOPED_TRACE(patches);
    const auto logits = dino::golden::image("logits", {patches, prototypes});
    const auto targets = (dino::golden::image("targets", {patches, prototypes}) * 3).softmax(1);
    std::vector<float> weights = dino::golden::uniform("weights", patches);
    for (float& weight : weights) weight = weight / 2 + 0.6f;
    const auto leaf = logits.clone().requires_grad_(), exact = logits.clone().requires_grad_();
    const auto loss = ibot_loss(leaf * 1, targets, weights, crops, kTemperature);
    const auto expected = plain(exact, targets, weights, crops);
    loss.backward();
    expected.backward();
    EXPECT_NEAR(loss.item<double>(), expected.item<double>(), 1e-6 * expected.item<double>());
    EXPECT_TRUE(torch::allclose(leaf.grad(), exact.grad(), 1e-4, 1e-7));
  }
}

// With a uniform student each masked crop costs ln K, and half of all crops are masked: at the
// start of a run the loss of DINOv2 is half of ln K.
TEST(IbotLoss, AUniformStudentPaysHalfOfLnK) {
  const std::vector<float> weights = {0.5f, 0.5f, 0.25f, 0.25f, 0.25f, 0.25f};  // two crops of four
  const auto targets = dino::golden::image("targets", {6, 1000}).softmax(1);
  const auto loss = ibot_loss(torch::zeros({6, 1000}), targets, weights, 4, kTemperature);
  EXPECT_NEAR(loss.item<double>(), std::log(1000.0) / 2, 1e-5);
}

TEST(IbotLoss, IsZeroWithoutMaskedPatches) {
  const auto leaf = torch::zeros({0, 30}).requires_grad_();
  const auto loss = ibot_loss(leaf * 1, torch::zeros({0, 30}), {}, 8, kTemperature);
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0.0);
  EXPECT_EQ(leaf.grad().sizes(), leaf.sizes());
}

TEST(IbotLoss, RefusesShapesThatDoNotPair) {
  const std::vector<float> weights = {1, 1};
  EXPECT_THROW(ibot_loss(torch::zeros({3, 5}), torch::zeros({3, 5}), weights, 2, 0.1), dino::Error);
  EXPECT_THROW(ibot_loss(torch::zeros({2, 5}), torch::zeros({2, 6}), weights, 2, 0.1), dino::Error);
  EXPECT_THROW(ibot_loss(torch::zeros({2, 5}), torch::zeros({2, 5}), weights, 0, 0.1), dino::Error);
}

}  // namespace
