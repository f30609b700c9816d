#include "dino/base/aligned_bytes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <utility>

namespace dino {
namespace {

TEST(AlignedBytes, BeginAtACacheLineAndCanBeWrittenToTheirEnd) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{100'000},
        (std::size_t{2} << 20) - 1, std::size_t{2} << 20, std::size_t{5'000'001}}) {
    const AlignedBytes bytes(size);
    EXPECT_EQ(bytes.size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 64, 0u) << size;
    if (size > 0) std::memset(bytes.data(), 0x5a, size);
  }
}

TEST(AlignedBytes, NothingIsLeftWhereTheyWereMovedFrom) {
  AlignedBytes first(1000);
  float* const data = first.data<float>();
  AlignedBytes second = std::move(first);
  EXPECT_EQ(second.data<float>(), data);
  EXPECT_EQ(second.size(), 1000u);
  EXPECT_EQ(first.size(), 0u);  // NOLINT: what is asked
  second = AlignedBytes(3 << 20);
  EXPECT_EQ(second.size(), std::size_t{3} << 20);
  EXPECT_EQ(AlignedBytes().data(), nullptr);
}

}  // namespace
}  // namespace dino
