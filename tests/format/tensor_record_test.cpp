#include "dino/format/tensor_record.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"

namespace dino::format {
namespace {

using Shape = std::vector<std::int64_t>;

TEST(DTypeNames, RoundTrip) {
  for (int i = 0; i <= static_cast<int>(DType::Bool); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
  }
  EXPECT_EQ(dtype_name(DType::BF16), "BF16");
  EXPECT_EQ(dtype_name(DType::Bool), "BOOL");
  EXPECT_EQ(item_bytes(DType::F16), 2u);
  EXPECT_EQ(item_bytes(DType::U64), 8u);
  EXPECT_EQ(item_bytes(DType::F8_E4M3), 1u);
  EXPECT_EQ(dtype_from_name("F8_E5M2"), DType::F8_E5M2);
  EXPECT_EQ(dtype_from_name("F8_E8M0"), std::nullopt);
  EXPECT_EQ(dtype_from_name("f32"), std::nullopt);
}

TEST(ElementCount, Products) {
  EXPECT_EQ(element_count(Shape{}), 1);
  EXPECT_EQ(element_count(Shape{2, 3, 4}), 24);
  EXPECT_EQ(element_count(Shape{5, 0}), 0);
  EXPECT_EQ(element_count(Shape{INT64_MAX}), INT64_MAX);
}

TEST(ElementCount, RefusesNegativeSizesAndOverflow) {
  const std::int64_t big = std::int64_t{1} << 32;
  EXPECT_THROW(element_count(Shape{2, -1}), Error);
  EXPECT_THROW(element_count(Shape{0, -1}), Error);
  EXPECT_THROW(element_count(Shape{big, big}), Error);
  EXPECT_THROW(element_count(Shape{big, big, 0}), Error);
  EXPECT_THROW(element_count(Shape{0, big, big}), Error);
  EXPECT_THROW(byte_count(DType::U16, Shape{INT64_MAX}), Error);
  EXPECT_EQ(byte_count(DType::F64, Shape{3, 2}), 48);
}

}  // namespace
}  // namespace dino::format
