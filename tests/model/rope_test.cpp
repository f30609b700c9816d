// The random changes of RoPE's coordinates in training (DINOv3, rope_position_encoding.py).
#include "dino/model/rope.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <numbers>

#include "tests/model/vit_options.h"

namespace dino::model {
namespace {

constexpr double kPeriod = 64;  // long enough that no angle turns full circle

arch::Vit slow_vit() {
  return {.dim = 4, .heads = 1, .positions = arch::Positions::Rope, .rope_periods = {kPeriod}};
}

/** Coordinates (y, x) of a grid's patches, read off the table: [P, 2]. */
torch::Tensor coordinates(const RopeAugment& augment, torch::Generator draws) {
  const torch::Tensor table = rope_table(slow_vit(), 3, 5, augment, draws, torch::kFloat64);
  EXPECT_TRUE(torch::equal(table.slice(2, 0, 2), table.slice(2, 2, 4))) << "both halves alike";
  return torch::atan2(table[1], table[0]).slice(1, 0, 2) * (kPeriod / 2 / std::numbers::pi);
}

/** What 400 draws made of the coordinates: factor and shift of y and x, [400, 2] each. */
struct Drawn {
  torch::Tensor factor, shift;
};
Drawn draws_of(const RopeAugment& augment) {
  const torch::Tensor plain = coordinates({}, {});
  auto generator = at::detail::createCPUGenerator(1);
  std::vector<torch::Tensor> factors, shifts;
  for (int i = 0; i < 400; ++i) {
    const torch::Tensor now = coordinates(augment, generator);
    const torch::Tensor factor = (now[14] - now[0]) / (plain[14] - plain[0]);  // opposite corners
    factors.push_back(factor);
    shifts.push_back(now[0] - plain[0] * factor);
    EXPECT_LT((now - plain * factor - shifts.back()).abs().max().item<double>(), 1e-4)
        << "all patches alike";
  }
  return {torch::stack(factors), torch::stack(shifts)};
}

void expect_log_uniform(const torch::Tensor& factors, double limit) {
  const torch::Tensor logs = factors.log();
  const double bound = std::log(limit);
  EXPECT_LE(logs.abs().max().item<double>(), bound + 1e-4);
  EXPECT_GT(logs.max().item<double>(), 0.95 * bound);
  EXPECT_LT(logs.min().item<double>(), -0.95 * bound);
  EXPECT_NEAR(logs.mean().item<double>(), 0, 0.1 * bound);
  EXPECT_NEAR(logs.std().item<double>(), bound / std::sqrt(3.0), 0.1 * bound);
}

TEST(RopeAugment, ShiftsAreUniformPerAxis) {
  const Drawn drawn = draws_of({.shift = 0.5});
  EXPECT_LT((drawn.factor - 1).abs().max().item<double>(), 1e-4);
  EXPECT_LE(drawn.shift.abs().max().item<double>(), 0.5 + 1e-4);
  EXPECT_NEAR(drawn.shift.std().item<double>(), 0.5 / std::sqrt(3.0), 0.03);
  EXPECT_NEAR(drawn.shift.mean().item<double>(), 0, 0.05);
  EXPECT_GT((drawn.shift.select(1, 0) - drawn.shift.select(1, 1)).abs().max().item<double>(), 0.5);
}

TEST(RopeAugment, JitterIsAFactorPerAxis) {
  const Drawn drawn = draws_of({.jitter = 1.5});
  expect_log_uniform(drawn.factor, 1.5);
  EXPECT_LT(drawn.shift.abs().max().item<double>(), 1e-4);
  EXPECT_GT((drawn.factor.select(1, 0) / drawn.factor.select(1, 1)).max().item<double>(), 1.5);
}

TEST(RopeAugment, RescaleIsOneFactorForBothAxes) {
  const Drawn drawn = draws_of({.rescale = 2});
  expect_log_uniform(drawn.factor, 2);
  EXPECT_LT((drawn.factor.select(1, 0) - drawn.factor.select(1, 1)).abs().max().item<double>(),
            1e-4);
}

/** In training alone, and for each group of crops anew. */
TEST(RopeAugment, BelongsToTraining) {
  arch::Architecture a = test::small_vit({});
  a.vit.positions = arch::Positions::Rope;
  const auto plain = test::fake_vit(a);
  const auto augmented =
      test::fake_vit(a, {.rope_augment = {.rescale = 2}}, at::detail::createCPUGenerator(1));
  const torch::Tensor images = torch::randn({2, 3, 24, 24}, at::detail::createCPUGenerator(2));
  const std::vector<CropGroup> twice = {{images, {}}, {images, {}}};
  const torch::NoGradGuard no_grad;
  const auto expected = plain->forward_groups(twice, Tokens::Cls);
  const auto training = augmented->forward_groups(twice, Tokens::Cls);
  EXPECT_FALSE(torch::allclose(training[0].cls, expected[0].cls, 1e-3));
  EXPECT_FALSE(torch::allclose(training[0].cls, training[1].cls, 1e-3));
  augmented->eval();
  EXPECT_TRUE(torch::equal(augmented->forward_groups(twice, Tokens::Cls)[0].cls, expected[0].cls));
}

}  // namespace
}  // namespace dino::model
