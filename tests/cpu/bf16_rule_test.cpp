#include "dino/cpu/bf16_rule.h"

#include <gtest/gtest.h>

namespace dino::cpu {
namespace {

TEST(Bf16Rule, GoesByWhatTheProcessorHas) {
  const Processor none = {}, zen4 = {.avx512_bf16 = true, .amd = true},
                  cooper_lake = {.avx512_bf16 = true},
                  sapphire_rapids = {.avx512_bf16 = true, .amx_bf16 = true}, zen3 = {.amd = true};
  EXPECT_TRUE(bf16_pairs_pay(zen4));
  EXPECT_TRUE(bf16_pays_in_training(zen4));
  EXPECT_FALSE(bf16_pairs_pay(sapphire_rapids));
  EXPECT_TRUE(bf16_pays_in_training(sapphire_rapids));
  for (const Processor& slow : {none, cooper_lake, zen3}) {
    EXPECT_FALSE(bf16_pairs_pay(slow));
    EXPECT_FALSE(bf16_pays_in_training(slow));
  }
}

TEST(Bf16Rule, SaysTheSameEachTime) {
  const Processor first = Processor::here();
  for (int i = 0; i < 3; ++i) {
    const Processor again = Processor::here();
    EXPECT_EQ(again.avx512_bf16, first.avx512_bf16);
    EXPECT_EQ(again.amx_bf16, first.amx_bf16);
    EXPECT_EQ(again.amd, first.amd);
  }
}

TEST(ProcessorForTesting, IsForgottenAfterwards) {
  const bool before = Processor::here().amd;
  {
    const ProcessorForTesting other({.amd = !before});
    EXPECT_EQ(Processor::here().amd, !before);
  }
  EXPECT_EQ(Processor::here().amd, before);
}

}  // namespace
}  // namespace dino::cpu
