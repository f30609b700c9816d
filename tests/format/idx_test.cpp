#include "dino/format/idx.h"

#include <array>

#include "dino/base/file.h"
#include "dino/format/gzip.h"
#include "tests/format/hostile.h"
#include "tests/temp_dir.h"

namespace dino::format {
namespace {

using namespace std::string_literals;
using Shape = std::vector<std::int64_t>;

template <typename T>
void expect_ramp(std::string_view file, DType dtype, int start) {
  const Array array = read_idx(golden(file));
  EXPECT_EQ(array.dtype, dtype) << file;
  EXPECT_EQ(array.shape, (Shape{2, 3})) << file;
  const auto got = array.as<T>();
  ASSERT_EQ(got.size(), 6u);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(got[static_cast<std::size_t>(i)], static_cast<T>(i + start)) << file;
}

TEST(ReadIdx, EveryType) {
  expect_ramp<std::uint8_t>("u1.idx", DType::U8, 0);
  expect_ramp<std::int8_t>("i1.idx", DType::I8, -2);
  expect_ramp<std::int16_t>("i2.idx", DType::I16, -2);
  expect_ramp<std::int32_t>("i4.idx", DType::I32, -2);
  expect_ramp<float>("f4.idx", DType::F32, -2);
  expect_ramp<double>("f8.idx", DType::F64, -2);
}

TEST(ReadIdx, GzipOfOneAndOfTwoMembers) {
  for (const char* name : {"images.idx.gz", "members.idx.gz"}) {
    const Array array = read_idx(golden(name));
    EXPECT_EQ(array.shape, (Shape{3, 4, 5}));
    const auto pixels = array.as<std::uint8_t>();
    for (std::size_t i = 0; i < pixels.size(); ++i) EXPECT_EQ(pixels[i], i * 3 % 251);
  }
}

TEST(WriteIdx, SameBytesAsTheOriginals) {
  test::TempDir dir;
  for (const char* name : {"u1.idx", "i1.idx", "i2.idx", "i4.idx", "f4.idx", "f8.idx"}) {
    write_idx(dir / "copy", read_idx(golden(name)).record());
    EXPECT_EQ(read_file(dir / "copy"), read_file(golden(name))) << name;
  }
}

TEST(WriteIdx, GzipRoundTripLargerThanAPiece) {
  test::TempDir dir;
  std::vector<std::byte> data(5'000'000);  // read back in several steps
  for (std::size_t i = 0; i < data.size(); i += 997) data[i] = static_cast<std::byte>(i);
  const TensorRecord record{"", DType::U8, {5, 1'000'000}, data};
  write_idx(dir / "a.gz", record);
  EXPECT_LT(std::filesystem::file_size(dir / "a.gz"), data.size() / 10);
  const Array back = read_idx(dir / "a.gz");
  EXPECT_EQ(back.shape, record.shape);
  EXPECT_EQ(back.bytes, data);
}

TEST(WriteIdx, RefusesWhatDoesNotFit) {
  test::TempDir dir;
  const std::array<float, 4> data{};
  const auto bytes = std::as_bytes(std::span(data));
  EXPECT_THROW(write_idx(dir / "a", {"", DType::I64, {2}, bytes}), Error);
  EXPECT_THROW(write_idx(dir / "a", {"", DType::F32, {}, bytes.first(4)}), Error);
  EXPECT_THROW(write_idx(dir / "a", {"", DType::F32, {5}, bytes}), Error);
  EXPECT_THROW(write_idx(dir / "a", {"", DType::U8, {std::int64_t{1} << 32, 0}, {}}), Error);
  EXPECT_FALSE(std::filesystem::exists(dir / "a"));
}

// ---- Hostile files ------------------------------------------------------------------------------

void expect_refused_file(const std::string& file, std::string_view reason) {
  expect_refused([&] { parse_idx(bytes_of(file), "hostile.bin"); }, reason);
}

std::string gzipped(const std::string& content) {
  return text_of(gzip(bytes_of(content)));
}

/** Both as it is and gzipped. */
void expect_content_refused(const std::string& content, std::string_view reason) {
  expect_refused_file(content, reason);
  expect_refused_file(gzipped(content), reason);
}

const std::string kGood = "\0\0\x08\x02\0\0\0\x02\0\0\0\x03"s + "abcdef";

TEST(IdxHostile, TheGoodFileIsGood) {
  EXPECT_EQ(parse_idx(bytes_of(kGood), "x").bytes.size(), 6u);
  EXPECT_EQ(parse_idx(bytes_of(gzipped(kGood)), "x").bytes.size(), 6u);
  EXPECT_TRUE(parse_idx(bytes_of("\0\0\x08\x01\0\0\0\0"s), "x").bytes.empty());
}

TEST(IdxHostile, FilesOnDiskAreNamed) {
  test::TempDir dir;
  write_file_atomically(dir / "hostile.bin", "");
  expect_refused([&] { read_idx(dir / "hostile.bin"); }, "ends within the header");
  EXPECT_THROW(read_idx(dir / "missing"), Error);
}

TEST(IdxHostile, Magic) {
  expect_content_refused("", "ends within the header");
  expect_content_refused("\0\0\x08"s, "ends within the header");
  expect_content_refused("\x89PNG and so on", "not an IDX file");
  expect_content_refused("\0\x01\x08\x01\0\0\0\0"s, "not an IDX file");
  expect_content_refused("\0\0\x0A\x01\0\0\0\0"s, "code 0x0a");
  expect_content_refused("\0\0\0\x01\0\0\0\0"s, "code 0x00");
  expect_content_refused("\0\0\x08\0"s, "no dimensions");
  expect_content_refused("\0\0\x08\0\x01"s, "no dimensions");
}

TEST(IdxHostile, SizesCutShort) {
  expect_content_refused("\0\0\x08\x01"s, "ends within the header");
  expect_content_refused("\0\0\x08\x02\0\0\0\x02\0\0\0"s, "ends within the header");
  expect_content_refused("\0\0\x08\xFF\0\0\0\x01"s, "ends within the header");
}

TEST(IdxHostile, DataCutShortOrTooLong) {
  expect_content_refused(kGood.substr(0, kGood.size() - 1), "cut short?");
  expect_content_refused(kGood.substr(0, kGood.size() - 6), "cut short?");
  expect_content_refused(kGood + "g", "more than the 6 bytes");
  expect_content_refused("\0\0\x08\x01\0\0\0\0x"s, "more than the 0 bytes");
  expect_content_refused(
      "\0\0\x0E\x01\0\0\0\x01"
      "1234567"s,
      "cut short?");
}

TEST(IdxHostile, LyingSizesAllocateNothing) {
  const std::string huge = "\xFF\xFF\xFF\xFF"s;
  expect_content_refused("\0\0\x08\x01"s + huge, "more than its size can hold");
  expect_content_refused("\0\0\x0E\x02"s + huge + huge, "elements, more than");
  expect_content_refused("\0\0\x08\x03"s + huge + huge + huge, "more than a file can hold");
  expect_content_refused("\0\0\x08\x03\0\0\0\0"s + huge + huge + "x", "more than a file can hold");
}

TEST(IdxHostile, DamagedGzip) {
  const std::string good = gzipped(kGood);
  for (std::size_t length = 2; length < good.size(); ++length)
    expect_refused_file(good.substr(0, length), "cut short");
  const auto changed = [&](std::size_t at) {
    std::string file = good;
    file[at] = static_cast<char>(file[at] ^ 0x55);
    return file;
  };
  expect_refused_file(changed(2), "damaged");                // method
  expect_refused_file(changed(good.size() - 5), "damaged");  // checksum
  expect_refused_file(changed(good.size() - 1), "damaged");  // length
  expect_refused_file(good + "x", "bytes after the end");
  expect_refused_file(good + std::string(100, '\0'), "bytes after the end");
  expect_refused_file(good + good, "more than the 6 bytes");
  expect_refused_file(good + good.substr(0, 10), "cut short");
}

TEST(IdxHostile, GzipInGzipIsNotUnpackedTwice) {
  expect_refused_file(gzipped(gzipped(kGood)), "not an IDX file");
}

TEST(IdxHostile, BombsAreBoundedByTheirClaim) {
  // 5 MB of zeros behind a header that claims six bytes: refused after six.
  expect_refused_file(gzipped(kGood + std::string(5'000'000, '\0')), "more than the 6 bytes");
}

TEST(IdxHostile, EveryCutAndEveryChangedByte) {
  const auto read = [](auto bytes) { parse_idx(bytes, "hostile.bin"); };
  expect_survives_damage(kGood, read);
  expect_survives_damage(gzipped(kGood), read);
  expect_survives_damage(text_of(read_file(golden("f8.idx"))), read);
}

}  // namespace
}  // namespace dino::format
