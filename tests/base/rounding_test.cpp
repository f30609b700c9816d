#include "dino/base/rounding.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace dino {
namespace {

TEST(Rounding, UpToAMultiple) {
  EXPECT_EQ(round_up(0, 4), 0);
  EXPECT_EQ(round_up(1, 4), 4);
  EXPECT_EQ(round_up(4, 4), 4);
  EXPECT_EQ(round_up(std::int64_t{5'000'000'001}, std::int64_t{64}), 5'000'000'064);
}

TEST(Rounding, HalvesGoToTheEvenNeighbor) {
  EXPECT_EQ(round_to_even(0.5), 0);
  EXPECT_EQ(round_to_even(1.5), 2);
  EXPECT_EQ(round_to_even(2.5), 2);
  EXPECT_EQ(round_to_even(2.51), 3);
  EXPECT_EQ(round_to_even(-1.5), -2);
}

}  // namespace
}  // namespace dino
