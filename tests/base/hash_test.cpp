#include "dino/base/hash.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace dino {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Printed by Python's xxhash: xxh3_64_hexdigest and xxh3_128_hexdigest.
TEST(Hash, KnownAnswers) {
  EXPECT_EQ(xxh3_64_hex({}), "2d06800538d394c2");
  EXPECT_EQ(xxh3_128_hex({}), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(xxh3_64_hex(bytes_of("dino")), "1bb73641cb6ef255");
  EXPECT_EQ(xxh3_128_hex(bytes_of("dino")), "2f92bca7166d2d99762ba5f8889f0134");
}

TEST(Hash, EachByteCounts) {
  std::string text(1000, 'a');
  const auto before = xxh3_64(bytes_of(text));
  for (const std::size_t i : {0, 1, 500, 999}) {
    text[i] ^= 1;
    EXPECT_NE(xxh3_64(bytes_of(text)), before);
    text[i] ^= 1;
  }
  EXPECT_EQ(xxh3_64(bytes_of(text)), before);
}

}  // namespace
}  // namespace dino
