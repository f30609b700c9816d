// fp16 to fp32 and back: every one of the 65,536 halves, and the halfway cases of rounding.
#include "dino/onnx/floats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "dino/base/error.h"

namespace dino::onnx {
namespace {

std::vector<float> from_bits(std::vector<std::uint16_t> bits, format::DType dtype) {
  return to_floats(
      {"x", dtype, {static_cast<std::int64_t>(bits.size())}, std::as_bytes(std::span(bits))});
}

TEST(Floats, EveryHalfSurvivesTheRoundTrip) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  const std::vector<float> floats = from_bits(all, format::DType::F16);
  const std::vector<std::uint16_t> back = to_halves(floats);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (std::isnan(floats[i])) {
      EXPECT_TRUE((i & 0x7C00) == 0x7C00 && (i & 0x3FF) != 0) << i;
    } else {
      ASSERT_EQ(back[i], all[i]);
    }
  }
}

TEST(Floats, HalvesHaveTheirValues) {
  EXPECT_EQ(from_bits({0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x7C00}, format::DType::F16),
            (std::vector<float>{1, -2, 65504, 0x1p-14f, 0x1p-24f,
                                std::numeric_limits<float>::infinity()}));
}

TEST(Floats, RoundsToTheNearestTiesToEven) {
  const std::vector<float> values = {1 + 0x1p-11f,                        // halfway, to even: 1
                                     1 + 3 * 0x1p-11f,                    // halfway, to even: up
                                     1 + 0x1.1p-11f,                      // above halfway
                                     65519.9f,         65520,     -1e9f,  // the largest; infinity
                                     0x1p-25f,         0x1.8p-25f};       // halfway to zero; above
  EXPECT_EQ(to_halves(values), (std::vector<std::uint16_t>{0x3C00, 0x3C02, 0x3C01, 0x7BFF, 0x7C00,
                                                           0xFC00, 0x0000, 0x0001}));
}

TEST(Floats, ReadsTheOtherTypes) {
  EXPECT_EQ(from_bits({0x3F80, 0xC000}, format::DType::BF16), (std::vector<float>{1, -2}));
  const std::vector<double> doubles = {0.5, -3};
  EXPECT_EQ(to_floats({"x", format::DType::F64, {2}, std::as_bytes(std::span(doubles))}),
            (std::vector<float>{0.5, -3}));
  EXPECT_THROW(from_bits({1}, format::DType::I16), Error);
}

}  // namespace
}  // namespace dino::onnx
