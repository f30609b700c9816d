#include "dino/base/bfloat16.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dino {
namespace {

float widened(std::uint32_t bits) {
  return std::bit_cast<float>(bits << 16);
}

/** Between each two neighbors: half way goes to the even one, a little beside it to the nearer. */
TEST(Bfloat16, RoundsToNearestTiesToEven) {
  for (std::uint32_t low = 0; low < 0x7F80; ++low) {
    const std::uint32_t high = low + 1;  // after the largest: infinity
    const auto middle = std::bit_cast<float>(low << 16 | 0x8000U);
    ASSERT_EQ(to_bfloat16(widened(low)), low);
    ASSERT_EQ(to_bfloat16(middle), low % 2 == 0 ? low : high) << low;
    ASSERT_EQ(to_bfloat16(std::nextafter(middle, 0.0F)), low) << low;
    ASSERT_EQ(to_bfloat16(std::nextafter(middle, INFINITY)), high) << low;
    ASSERT_EQ(to_bfloat16(-middle), 0x8000 | (low % 2 == 0 ? low : high)) << low;
  }
}

TEST(Bfloat16, KeepsWhatIsNotFinite) {
  EXPECT_EQ(to_bfloat16(INFINITY), 0x7F80);
  EXPECT_EQ(to_bfloat16(-INFINITY), 0xFF80);
  for (const std::uint32_t payload : {0x7F800001U, 0x7FFFFFFFU, 0xFFFFFFFFU, 0xFF800001U})
    EXPECT_TRUE(std::isnan(widened(to_bfloat16(std::bit_cast<float>(payload))))) << payload;
}

}  // namespace
}  // namespace dino
