// Weights of every float type as fp32.
#include "dino/onnx/floats.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"

namespace dino::onnx {
namespace {

std::vector<float> from_bits(std::vector<std::uint16_t> bits, format::DType dtype) {
  return to_floats(
      {"x", dtype, {static_cast<std::int64_t>(bits.size())}, std::as_bytes(std::span(bits))});
}

TEST(Floats, HalvesThereAndBack) {
  const std::vector<std::uint16_t> halves = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x8000};
  const std::vector<float> values = from_bits(halves, format::DType::F16);
  EXPECT_EQ(values, (std::vector<float>{1, -2, 65504, 0x1p-24f, -0.0f}));
  EXPECT_EQ(to_halves(values), halves);
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
