// Stochastic depth (Huang et al. 2016) as DINO draws it, and the layout of packed tokens.
#include "dino/model/encoder.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace dino::model {
namespace {

/** timm's rule: torch.linspace(0, drop_path, depth). */
TEST(DropPath, EachBlockDropsItsShareAndKeepsTheExpectation) {
  constexpr std::int64_t kDepth = 5, kSequences = 20'000;
  constexpr double kDropPath = 0.4;
  const torch::Tensor factors =
      draw_drop_path(kDropPath, kDepth, kSequences, at::detail::createCPUGenerator(1));
  EXPECT_EQ(factors.sizes(), (std::vector<std::int64_t>{kDepth, 2, kSequences}));
  for (std::int64_t block = 0; block < kDepth; ++block)
    for (std::int64_t branch = 0; branch < 2; ++branch) {
      const double drop = kDropPath * static_cast<double>(block) / (kDepth - 1), keep = 1 - drop;
      const torch::Tensor drawn = factors[block][branch];
      const torch::Tensor is_kept = drawn.gt(0);
      EXPECT_NEAR(1 - is_kept.to(torch::kFloat64).mean().item<double>(), drop, 0.015)
          << "block " << block;
      const auto kept = drawn.masked_select(is_kept);
      EXPECT_TRUE(torch::allclose(kept, torch::full_like(kept, 1 / keep))) << "block " << block;
    }
  EXPECT_FALSE(torch::equal(factors[4][0], factors[4][1])) << "branches drop apart";
}

TEST(DropPath, NothingIsDrawnWithoutIt) {
  auto draws = at::detail::createCPUGenerator(2), untouched = at::detail::createCPUGenerator(2);
  EXPECT_FALSE(draw_drop_path(0, 12, 7, draws).defined());
  EXPECT_TRUE(torch::equal(torch::rand({4}, draws), torch::rand({4}, untouched)));
  EXPECT_TRUE(torch::equal(draw_drop_path(0.9, 1, 7, draws), torch::ones({1, 2, 7})))
      << "the first block never drops";
}

TEST(TokenLayout, FindsEachSequence) {
  TokenLayout layout;
  layout.add(2, 5);
  layout.add(3, 2);
  EXPECT_EQ(layout.rows(), 16);
  EXPECT_EQ(layout.sequences(), 5);
  EXPECT_TRUE(torch::equal(layout.cls_rows(), torch::tensor({0, 5, 10, 12, 14}, torch::kInt64)));
  EXPECT_TRUE(
      torch::equal(factors_per_row(torch::arange(5), layout),
                   torch::tensor({0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4}, torch::kInt64)));
}

}  // namespace
}  // namespace dino::model
