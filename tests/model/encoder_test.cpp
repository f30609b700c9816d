// Stochastic depth (Huang et al. 2016) as DINO draws it, and the layout of packed tokens.
#include "dino/model/encoder.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace dino::model {
namespace {

TokenLayout layout_of(std::int64_t sequences) {
  TokenLayout layout;
  layout.add(sequences, 3);
  return layout;
}

/** timm's rule: torch.linspace(0, drop_path, depth). */
TEST(DropPath, EachBlockDropsItsShareAndKeepsTheExpectation) {
  constexpr std::int64_t kDepth = 5, kSequences = 20'000;
  constexpr double kDropPath = 0.4;
  const torch::Tensor factors =
      draw_drop_path(DropPath::Linear, kDropPath, kDepth, layout_of(kSequences),
                     at::detail::createCPUGenerator(1));
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
  for (const DropPath rule : {DropPath::Linear, DropPath::Subset})
    EXPECT_FALSE(draw_drop_path(rule, 0, 12, layout_of(7), draws).defined());
  EXPECT_TRUE(torch::equal(torch::rand({4}, draws), torch::rand({4}, untouched)));
  EXPECT_TRUE(torch::equal(draw_drop_path(DropPath::Linear, 0.9, 1, layout_of(7), draws),
                           torch::ones({1, 2, 7})))
      << "the first block never drops";
}

// DINOv2's drop_add_residual_stochastic_depth_list: n = max(int(b * (1 - rate)), 1), factor b / n.
TEST(DropPath, ASubsetHasAFixedSizeInEveryGroupAndBranch) {
  TokenLayout layout;
  layout.add(2, 5);
  layout.add(16, 2);
  auto draws = at::detail::createCPUGenerator(3);
  torch::Tensor sum = torch::zeros({3, 2, 18});
  constexpr int kDraws = 2000;
  for (int i = 0; i < kDraws; ++i) {
    const torch::Tensor factors = draw_drop_path(DropPath::Subset, 0.4, 3, layout, draws);
    const torch::Tensor of_two = factors.narrow(2, 0, 2), of_sixteen = factors.narrow(2, 2, 16);
    ASSERT_TRUE(torch::equal(of_two.gt(0).sum(2), torch::ones({3, 2}, torch::kInt64)));
    ASSERT_TRUE(torch::equal(of_sixteen.gt(0).sum(2), torch::full({3, 2}, 9, torch::kInt64)));
    ASSERT_EQ(of_two.max().item<float>(), 2.0f);
    ASSERT_EQ(of_sixteen.max().item<float>(), 16.0f / 9);
    sum += factors;
  }
  EXPECT_LE((sum / kDraws - 1).abs().max().item<double>(), 0.15) << "keeps the expectation";
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
