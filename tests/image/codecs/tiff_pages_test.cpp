// Pages as files of their own against libtiff reading them where they are.
#include "dino/image/codecs/tiff_pages.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/image/codecs/decode.h"
#include "tests/image/tiff_file.h"

namespace dino::image {
namespace {

namespace fs = std::filesystem;

const fs::path kFormats = DINO_SOURCE_DIR "/tests/golden/image/formats";

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

int page_count(std::span<const std::byte> bytes) {
  return static_cast<int>(tiff_pages(tiff_in_memory(bytes)).size());
}

TEST(TiffPages, AreFilesOfTheSamePixels) {
  int pages = 0;
  for (const auto& entry : fs::directory_iterator(kFormats)) {
    if (entry.path().extension() != ".tif") continue;
    SCOPED_TRACE(entry.path().filename());
    const std::vector<std::byte> file = read_file(entry.path());
    const int count = page_count(file);
    ASSERT_EQ(count, peek(file).pages);
    for (int page = 0; page < count; ++page, ++pages) {
      SCOPED_TRACE(page);
      const DecodeOptions there{.page = page};
      const std::vector<std::byte> alone = read_tiff_page(tiff_in_memory(file), page);
      EXPECT_LE(alone.size(), file.size() + 16);
      EXPECT_EQ(decode(alone, 0), decode(file, 0, there));
      EXPECT_EQ(decode_wide(alone, 0).values, decode_wide(file, 0, there).values);
      const ImageInfo info = peek(alone), expected = peek(file, there);
      EXPECT_EQ(info.pages, 1);
      EXPECT_EQ(info.bits, expected.bits);
      EXPECT_EQ(info.has_alpha, expected.has_alpha);
      // Where a page lay does not show, so that equal pages are equal bytes.
      EXPECT_EQ(read_tiff_page(tiff_in_memory(alone), 0), alone);
    }
  }
  EXPECT_GE(pages, 28);
}

TEST(TiffPages, AreCountedWithoutOverviews) {
  EXPECT_EQ(page_count(read_file(kFormats / "pages.tif")), 3);
  EXPECT_EQ(page_count(read_file(kFormats / "overview.tif")), 2);
  EXPECT_EQ(page_count(read_file(kFormats / "rgb24.bmp")), 0);
  EXPECT_EQ(page_count(bytes_of("")), 0);
  EXPECT_EQ(page_count(bytes_of("II*")), 0);
  EXPECT_EQ(page_count(bytes_of(test::tiff({1, 2, 3, 4, 5}))), 5);
}

TEST(TiffPages, ReadTheirOwnPixelsOnly) {
  const std::vector<std::byte> file = bytes_of(test::tiff(std::vector<int>(1000, 7)));
  const TiffSource memory = tiff_in_memory(file);
  std::size_t read = 0;
  const TiffSource counted{memory.size, [&](std::uint64_t offset, std::span<std::byte> out) {
                             read += out.size();
                             return memory.read_at(offset, out);
                           }};
  EXPECT_EQ(decode(read_tiff_page(counted, 3), 1).pixels.at(0), 7);
  EXPECT_LT(read, 1000u);
  EXPECT_EQ(read_tiff_page(memory, 999), read_tiff_page(memory, 3));
}

/** `what` is refused with this in the message. */
void expect_refused(const std::vector<std::byte>& file, int page, std::string_view part) {
  try {
    read_tiff_page(tiff_in_memory(file), page);
    ADD_FAILURE() << "read; expected: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Format);
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
  }
}

TEST(TiffPages, DamageIsNamed) {
  const std::string good = test::tiff({1, 2, 3});
  expect_refused(bytes_of(good), 3, "has 3 pages; there is no page 3");
  expect_refused(bytes_of(good.substr(0, good.size() - 20)), 2, "truncated");
  const std::size_t strip = 10 + 12 * 5, sizes = 10 + 12 * 7;  // entries of the first page
  std::string far = good;
  far.replace(strip + 8, 4, test::little_endian(0xFFFFFF00, 4));
  expect_refused(bytes_of(far), 0, "truncated");
  std::string unsized = good;
  unsized.replace(sizes, 2, test::little_endian(9999, 2));
  expect_refused(bytes_of(unsized), 0, "strips without sizes");
  std::string zero = good;  // libtiff estimates it; the page would hold other pixels
  zero.replace(sizes + 8, 4, test::little_endian(0, 4));
  expect_refused(bytes_of(zero), 0, "strips without sizes");
  std::string bytes = good;
  bytes.replace(sizes + 2, 2, test::little_endian(1, 2));
  expect_refused(bytes_of(bytes), 0, "another type");
  std::string text = good;
  text.replace(strip + 2, 2, test::little_endian(2, 2));
  expect_refused(bytes_of(text), 0, "another type");
  // A hundred strips that are all the whole file.
  std::string bomb = good, list, lengths;
  for (int i = 0; i < 100; ++i) {
    list += test::little_endian(0, 4);
    lengths += test::little_endian(good.size(), 4);
  }
  bomb.replace(strip + 4, 8, test::little_endian(100, 4) + test::little_endian(bomb.size(), 4));
  bomb += list;
  bomb.replace(sizes + 4, 8, test::little_endian(100, 4) + test::little_endian(bomb.size(), 4));
  bomb += lengths;
  expect_refused(bytes_of(bomb), 0, "larger than its file");
  EXPECT_EQ(decode(read_tiff_page(tiff_in_memory(bytes_of(far)), 1), 1).pixels.at(0), 2);
}

/** Tags that say nothing about pixels may be damaged. */
TEST(TiffPages, LeaveOutWhatPixelsDoNotNeed) {
  std::string file = test::tiff({1, 2});
  const std::size_t rows =
      10 + 12 * 6;  // 278, whose default is all of them: now a lost ICC profile
  file.replace(rows, 12,
               test::little_endian(34675, 2) + test::little_endian(7, 2) +
                   test::little_endian(1 << 20, 4) + test::little_endian(1 << 28, 4));
  EXPECT_EQ(decode(read_tiff_page(tiff_in_memory(bytes_of(file)), 0), 1).pixels.at(0), 1);
}

/** A file that is cut while it is read. */
TEST(TiffPages, ThatVanishAreRefused) {
  const auto bytes = bytes_of(test::tiff({1, 2, 3}));
  for (int good = 0; good < 12; ++good) {
    int reads = 0;
    TiffSource source = tiff_in_memory(bytes);
    source.read_at = [&, whole = source.read_at](std::uint64_t at, std::span<std::byte> out) {
      return reads++ < good ? whole(at, out) : 0;
    };
    try {
      read_tiff_page(source, 2);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format) << good;
    }
  }
}

TEST(TiffPages, SurviveDamagedBytes) {
  for (const char* name : {"pages.tif", "big.tif", "tiled.tif", "rgb_jpeg.tif"}) {
    SCOPED_TRACE(name);
    const std::vector<std::byte> good = read_file(kFormats / name);
    for (std::size_t at = 0; at < good.size(); at += at < 64 || good.size() - at < 320 ? 1 : 97)
      for (const std::byte flip : {std::byte{0xFF}, std::byte{0x01}}) {
        std::vector<std::byte> damaged = good;
        damaged[at] ^= flip;
        for (int page = 0; page < std::min(4, page_count(damaged)); ++page) try {
            decode(read_tiff_page(tiff_in_memory(damaged), page), 0, {.max_pixels = 1 << 15});
          } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
          }
      }
  }
}

}  // namespace
}  // namespace dino::image
