// Damaged streams are tested through IDX (idx_test.cpp); here: the pieces a caller may ask for.
#include "dino/format/gzip.h"

#include "tests/format/hostile.h"

namespace dino::format {
namespace {

/** Unpacks asking for `piece` bytes at a time. */
std::string unpack(std::span<const std::byte> bytes, std::size_t piece) {
  GzipReader reader(bytes, "hostile.bin");
  std::string result, buffer(piece, '\0');
  std::size_t count = piece;
  while (count == piece) {
    count = reader.read(std::as_writable_bytes(std::span(buffer)));
    result.append(buffer, 0, count);
  }
  EXPECT_EQ(reader.read(std::as_writable_bytes(std::span(buffer))), 0u);  // the end stays the end
  return result;
}

TEST(Gzip, PiecesOfAnySize) {
  const std::string text = "to be or not to be, that is the question";
  const auto packed = gzip(bytes_of(text));
  EXPECT_TRUE(is_gzip(packed));
  for (const std::size_t piece : {1u, 7u, 20u, 40u, 41u, 1000u})
    EXPECT_EQ(unpack(packed, piece), text) << piece;
}

TEST(Gzip, NothingAndTheSameTwice) {
  EXPECT_EQ(unpack(gzip({}), 10), "");
  EXPECT_EQ(gzip(bytes_of("abc")), gzip(bytes_of("abc")));
  EXPECT_FALSE(is_gzip({}));
  EXPECT_FALSE(is_gzip(bytes_of("\x1F")));
}

TEST(Gzip, BestRatioStaysBelowTheStatedLimit) {
  const std::string zeros(10'000'000, '\0');
  const auto packed = gzip(bytes_of(zeros));
  EXPECT_LT(zeros.size(), packed.size() * kMaxGzipRatio);
  EXPECT_GT(zeros.size(), packed.size() * kMaxGzipRatio * 9 / 10);  // the limit is not idle
}

TEST(Gzip, NamesTheFile) {
  expect_refused([] { unpack(bytes_of("plain text"), 10); }, "damaged");
  expect_refused([] { unpack({}, 10); }, "cut short");
}

}  // namespace
}  // namespace dino::format
