// Weights of every float type as fp32.
#include "dino/format/floats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "dino/base/error.h"

namespace dino::format {
namespace {

std::vector<float> from_bits(std::vector<std::uint16_t> bits, DType dtype) {
  return to_floats(
      {"x", dtype, {static_cast<std::int64_t>(bits.size())}, std::as_bytes(std::span(bits))});
}

TEST(Floats, HalvesThereAndBack) {
  const std::vector<std::uint16_t> halves = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x8000};
  const std::vector<float> values = from_bits(halves, DType::F16);
  EXPECT_EQ(values, (std::vector<float>{1, -2, 65504, 0x1p-24f, -0.0f}));
  EXPECT_EQ(to_halves(values), halves);
}

TEST(Floats, ReadsTheOtherTypes) {
  EXPECT_EQ(from_bits({0x3F80, 0xC000}, DType::BF16), (std::vector<float>{1, -2}));
  const std::vector<double> doubles = {0.5, -3};
  EXPECT_EQ(to_floats({"x", DType::F64, {2}, std::as_bytes(std::span(doubles))}),
            (std::vector<float>{0.5, -3}));
  EXPECT_THROW(from_bits({1}, DType::I16), Error);
}

TEST(Floats, FindsTheFirstThatIsNotFinite) {
  const auto find = [](auto values, DType dtype) {
    return first_not_finite(
        {"x", dtype, {static_cast<std::int64_t>(values.size())}, std::as_bytes(std::span(values))});
  };
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  std::vector<float> many(10'000, std::numeric_limits<float>::max());
  EXPECT_EQ(find(many, DType::F32), std::nullopt);
  for (const std::size_t at : {0, 1, 4095, 4096, 9999})
    for (const float bad : {inf, -inf, nan, -nan}) {
      std::vector<float> values = many;
      values[at] = bad;
      EXPECT_EQ(find(values, DType::F32), static_cast<std::int64_t>(at));
    }
  using Halves = std::vector<std::uint16_t>;
  EXPECT_EQ(find(Halves{0x7BFF, 0xFBFF, 0x0001}, DType::F16), std::nullopt);
  EXPECT_EQ(find(Halves{0x7BFF, 0xFC00}, DType::F16), 1);
  EXPECT_EQ(find(Halves{0x7C01}, DType::F16), 0);
  EXPECT_EQ(find(Halves{0x7F7F, 0xFF7F, 0x7C00}, DType::BF16), std::nullopt);
  EXPECT_EQ(find(Halves{0, 0, 0xFF80}, DType::BF16), 2);
  EXPECT_EQ(find(std::vector<double>{1e38, -1e38, 1e-300}, DType::F64), std::nullopt);
  EXPECT_EQ(find(std::vector<double>{1, 1e39}, DType::F64), 1);
  EXPECT_EQ(find(std::vector<std::int32_t>{-1}, DType::I32), std::nullopt);
}

}  // namespace
}  // namespace dino::format
