// The DINO loss and center against lightly's (tests/golden/loss/make.py), and what must hold for
// any logits.
#include "dino/loss/dino_loss.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/loss/centering.h"
#include "tests/golden/synthetic_weights.h"

namespace {

using dino::loss::dino_loss;
using dino::loss::dino_loss_by_pairs;

constexpr double kStudentTemperature = 0.1;

/** Cosines, as a head with a frozen gain gives them: [views * B, K]. */
torch::Tensor logits_of(const std::string& name, std::int64_t rows, std::int64_t prototypes) {
  return dino::golden::image(name, {rows, prototypes}) / 2;
}

torch::Tensor targets_of(const std::string& name, std::int64_t rows, std::int64_t prototypes) {
  return dino::loss::center_and_sharpen(logits_of(name, rows, prototypes),
                                        torch::zeros({prototypes}), 0.04)
      .probabilities;
}

double loss_of(const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t batch) {
  return dino_loss(logits.clone(), targets, batch, kStudentTemperature).item<double>();
}

struct LossAndGradient {
  double loss;
  torch::Tensor gradient;
};

template <typename Loss>
LossAndGradient differentiate(Loss loss, const torch::Tensor& logits, const torch::Tensor& targets,
                              std::int64_t batch, double local_weight = 1) {
  // The fused loss overwrites what it is given, so it gets a non-leaf copy.
  const auto leaf = logits.clone().requires_grad_();
  const auto value = loss(leaf.clone(), targets, batch, kStudentTemperature, local_weight);
  value.backward();
  return {value.template item<double>(), leaf.grad()};
}

std::vector<float> first(const torch::Tensor& x, std::int64_t count) {
  const auto flat = x.to(torch::kFloat32).flatten().narrow(0, 0, count).contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + count};
}

TEST(DinoLoss, EqualsLightly) {
  std::ifstream file(DINO_SOURCE_DIR "/tests/golden/loss/dino_loss.json");
  const auto golden = nlohmann::json::parse(file);
  for (const auto& item : golden["cases"]) {
    const std::int64_t batch = item["batch"], views = 2 + item["local_count"].get<std::int64_t>();
    const std::int64_t prototypes = item["prototypes"];
    torch::Tensor center = torch::zeros({prototypes});
    int call = 0;
    for (const auto& expected : item["calls"]) {
      SCOPED_TRACE("B " + std::to_string(batch) + ", call " + std::to_string(call));
      const auto student = logits_of("student" + std::to_string(call), views * batch, prototypes);
      const auto teacher = logits_of("teacher" + std::to_string(call), 2 * batch, prototypes);
      const auto targets =
          dino::loss::center_and_sharpen(teacher, center, item["teacher_temperature"])
              .probabilities;
      for (const auto& result : {differentiate(dino_loss, student, targets, batch),
                                 differentiate(dino_loss_by_pairs, student, targets, batch)}) {
        const double loss = expected["loss"], norm = expected["gradient_norm"];
        EXPECT_NEAR(result.loss / loss, 1, 1e-6);
        EXPECT_NEAR(result.gradient.norm().item<double>() / norm, 1, 1e-5);
        const auto slope = first(result.gradient, 8);
        for (std::size_t i = 0; i < slope.size(); ++i)
          EXPECT_NEAR(slope[i], expected["gradient"][i].get<double>(), 1e-6 * norm) << i;
      }
      dino::loss::update_center(center, teacher.mean(0), golden["center_momentum"]);
      const auto shift = first(center, 8);
      for (std::size_t i = 0; i < shift.size(); ++i)
        EXPECT_NEAR(shift[i], expected["center"][i].get<double>(), 1e-6) << i;
      EXPECT_NEAR(center.norm().item<double>() / expected["center_norm"].get<double>(), 1, 1e-6);
      ++call;
    }
  }
}

TEST(DinoLoss, TheWeightOfLocalCropsLeavesTheGlobalTermsAlone) {
  const auto logits = logits_of("student", 5 * 3, 40), targets = targets_of("teacher", 2 * 3, 40);
  const auto fused = differentiate(dino_loss, logits, targets, 3, 0.5);
  const auto plain = differentiate(dino::loss::dino_loss_by_pairs, logits, targets, 3, 0.5);
  EXPECT_NEAR(fused.loss, plain.loss, 1e-6 * plain.loss);
  EXPECT_TRUE(torch::allclose(fused.gradient, plain.gradient, 1e-5, 1e-8));
  const auto whole = differentiate(dino_loss, logits, targets, 3);
  EXPECT_TRUE(torch::equal(whole.gradient.narrow(0, 0, 6), fused.gradient.narrow(0, 0, 6)));
  EXPECT_TRUE(torch::equal(whole.gradient.narrow(0, 6, 9), fused.gradient.narrow(0, 6, 9) * 2));
}

TEST(DinoLoss, UniformStudentPaysLnK) {
  for (const std::int64_t prototypes : {7, 64, 65536}) {
    const auto targets = targets_of("teacher", 2 * 2, prototypes);
    const double expected = std::log(static_cast<double>(prototypes));
    EXPECT_NEAR(loss_of(torch::zeros({6 * 2, prototypes}), targets, 2), expected, 1e-5);
    // Softmax ignores a constant.
    EXPECT_NEAR(loss_of(torch::full({6 * 2, prototypes}, 3.5), targets, 2), expected, 1e-5);
  }
}

TEST(DinoLoss, OrderOfImagesAndOfTheTwoGlobalViewsDoesNotMatter) {
  constexpr std::int64_t kBatch = 4, kViews = 5, kPrototypes = 33;
  const auto logits = logits_of("student", kViews * kBatch, kPrototypes);
  const auto targets = targets_of("teacher", 2 * kBatch, kPrototypes);
  const double loss = loss_of(logits, targets, kBatch);

  const auto order = torch::tensor({2, 0, 3, 1});
  const auto shuffle = [&](const torch::Tensor& x) {
    return x.view({-1, kBatch, kPrototypes}).index_select(1, order).reshape({-1, kPrototypes});
  };
  EXPECT_NEAR(loss_of(shuffle(logits), shuffle(targets), kBatch), loss, 1e-6);

  const auto swap = [&](const torch::Tensor& x) {
    const auto views = x.split(kBatch);
    std::vector<torch::Tensor> swapped(views.begin(), views.end());
    std::swap(swapped[0], swapped[1]);
    return torch::cat(swapped);
  };
  EXPECT_NEAR(loss_of(swap(logits), swap(targets), kBatch), loss, 1e-6);
  // Images must stay paired: shuffling only the student is another loss.
  EXPECT_GT(std::abs(loss_of(shuffle(logits), targets, kBatch) - loss), 1e-3);
}

// A global student view never faces the teacher's distribution of itself.
TEST(DinoLoss, SameViewPairsAreLeftOut) {
  constexpr std::int64_t kBatch = 3, kPrototypes = 20;
  const auto logits = logits_of("student", 2 * kBatch, kPrototypes);
  auto targets = targets_of("teacher", 2 * kBatch, kPrototypes);
  const auto before = differentiate(dino_loss, logits, targets, kBatch).gradient.clone();
  targets.narrow(0, 0, kBatch).copy_(targets_of("other", kBatch, kPrototypes));
  const auto after = differentiate(dino_loss, logits, targets, kBatch).gradient;
  EXPECT_TRUE(torch::equal(before.narrow(0, 0, kBatch), after.narrow(0, 0, kBatch)));
  EXPECT_FALSE(torch::allclose(before.narrow(0, kBatch, kBatch), after.narrow(0, kBatch, kBatch)));
}

TEST(DinoLoss, GradientScalesWithTheLossItBelongsTo) {
  const auto logits = logits_of("student", 8, 30);
  const auto targets = targets_of("teacher", 4, 30);
  const auto plain = differentiate(dino_loss, logits, targets, 2).gradient;
  const auto scaled =
      differentiate([](const auto& l, const auto& t, std::int64_t b, double temperature,
                       double) { return dino_loss(l, t, b, temperature) * 0.25; },
                    logits, targets, 2);
  EXPECT_TRUE(torch::allclose(scaled.gradient, plain * 0.25));
}

/** The gradient lies in the logits: a second backward would scale it twice. */
TEST(DinoLoss, RefusesASecondBackward) {
  const auto leaf = logits_of("student", 8, 30).clone().requires_grad_();
  const auto loss =
      dino_loss(leaf.clone(), targets_of("teacher", 4, 30), 2, kStudentTemperature) * 0.5;
  loss.backward({}, /*keep_graph=*/true);
  EXPECT_THROW(loss.backward({}, /*keep_graph=*/true), dino::Error);
}

// The gradient takes the memory of logits that are given away, and of no others.
TEST(DinoLoss, ASecondReaderFindsTheLogitsAsTheyWere) {
  const auto targets = targets_of("teacher", 4, 30);
  const auto original = logits_of("student", 8, 30);
  const auto gradient_of = [&](const std::function<torch::Tensor(torch::Tensor)>& loss) {
    const auto leaf = original.clone().requires_grad_();
    loss(leaf * 1).backward();
    return leaf.grad();
  };
  const auto given_away = gradient_of([&](torch::Tensor logits) {
    return dino_loss(std::move(logits), targets, 2, kStudentTemperature);
  });
  const auto held = gradient_of([&](torch::Tensor logits) {
    const auto loss = dino_loss(logits, targets, 2, kStudentTemperature);
    EXPECT_TRUE(torch::equal(logits, original)) << "still held";
    return loss;
  });
  const auto seen = gradient_of([&](torch::Tensor logits) {
    const torch::Tensor view = logits.detach().narrow(0, 0, 3);
    const auto loss = dino_loss(std::move(logits), targets, 2, kStudentTemperature);
    EXPECT_TRUE(torch::equal(view, original.narrow(0, 0, 3))) << "a view of the same memory";
    return loss;
  });
  EXPECT_TRUE(torch::equal(held, given_away));
  EXPECT_TRUE(torch::equal(seen, given_away));

  torch::Tensor logits = original.clone();
  const float* memory = logits.const_data_ptr<float>();
  const auto loss = dino_loss(std::move(logits), targets, 2, kStudentTemperature);
  EXPECT_NE(memory[0], original[0][0].item<float>()) << "given away, and used";
}

TEST(DinoLoss, Bf16LogitsAreOnlyRounded) {
  const auto logits = logits_of("student", 12, 100).to(torch::kBFloat16);
  const auto targets = targets_of("teacher", 4, 100);
  const auto exact = differentiate(dino_loss, logits.to(torch::kFloat32), targets, 2);
  const auto half = differentiate(dino_loss, logits, targets, 2);
  EXPECT_NEAR(half.loss, exact.loss, 1e-5 * exact.loss);  // accumulated in fp32 or better
  EXPECT_LE((half.gradient.to(torch::kFloat32) - exact.gradient).norm().item<double>(),
            0.01 * exact.gradient.norm().item<double>());
}

TEST(DinoLoss, RefusesShapesThatDoNotPair) {
  const auto targets = targets_of("teacher", 4, 10);
  EXPECT_THROW(dino_loss(torch::zeros({7, 10}), targets, 2, 0.1), dino::Error);  // not views * B
  EXPECT_THROW(dino_loss(torch::zeros({2, 10}), targets, 2, 0.1), dino::Error);  // one view
  EXPECT_THROW(dino_loss(torch::zeros({8, 11}), targets, 2, 0.1), dino::Error);  // another K
  EXPECT_THROW(dino_loss(torch::zeros({8, 10}), targets, 0, 0.1), dino::Error);
}

}  // namespace
