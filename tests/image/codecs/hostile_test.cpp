// Files that lie: sizes of nothing or of terabytes, counts, offsets and types that are wrong. Each
// is refused with an Error{Format}, quickly and without room for what it promises.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/image/codecs/decode.h"

namespace dino::image {
namespace {

using namespace std::string_view_literals;
using FileBytes = std::vector<std::byte>;

FileBytes bytes_of(const std::string& name) {
  return read_file(DINO_SOURCE_DIR "/tests/golden/image/" + name);
}

FileBytes bytes_from(std::string_view text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

void expect_refused(const FileBytes& bytes, const std::string& what,
                    const DecodeOptions& options = {}) {
  SCOPED_TRACE(what);
  const auto refuse = [&](const char* name, auto read) {
    try {
      read();
      ADD_FAILURE() << name << " went through";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
    }
  };
  refuse("decode", [&] { decode(bytes, 3, options); });
  refuse("decode_wide", [&] { decode_wide(bytes, 0, options); });
}

FileBytes patched(FileBytes bytes, std::size_t at, std::uint64_t value, std::size_t size,
                  bool big_endian = false) {
  for (std::size_t i = 0; i < size; ++i)
    bytes.at(at + (big_endian ? size - 1 - i : i)) = static_cast<std::byte>(value >> (8 * i));
  return bytes;
}

std::size_t find(const FileBytes& bytes, std::string_view part) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t at = text.find(part);
  EXPECT_NE(at, std::string_view::npos);
  return at;
}

TEST(Hostile, Pnm) {
  const std::string_view files[] = {"P6\n"sv,
                                    "P6 4"sv,
                                    "P6 4 4"sv,
                                    "P6 4 4 255"sv,
                                    "P6 4 4 255\n"sv,
                                    "P6 0 4 255\n"sv,
                                    "P6 4 0 255\nabc"sv,
                                    "P6 -4 4 255\nabc"sv,
                                    "P6 4 4 0\nabc"sv,
                                    "P6 4 4 65536\nabc"sv,
                                    "P6 4 4 -1\nabc"sv,
                                    "P6 99999999999999999999 1 255\nabc"sv,
                                    "P6 100000 100000 255\nabc"sv,
                                    "P6 10000 10000 255\nabc"sv,
                                    "P6 2147483647 2147483647 255\nabc"sv,
                                    "P5 4 4 255\n123456789"sv,
                                    "P5 2 2 300\n1234567"sv,
                                    "P4 17 1\n\0\0"sv,
                                    "P4 9 2\n\0\0\0"sv,
                                    "P3 1 1 255\n1 2"sv,
                                    "P3 1 1 255\n1 2 x"sv,
                                    "P3 1 1 255\n1 2 -3"sv,
                                    "P3 9000 9000 255\n1 2 3"sv,
                                    "P2 2 2 9\n1 2 3 "sv,
                                    "P2 2 2 9\n1 2 3 #4"sv,
                                    "P2 2 1 9\n1 99999999999"sv,
                                    "P1 2 1\n1"sv,
                                    "P1 2 1\n12"sv,
                                    "P1 2 2\n101x"sv,
                                    "P6 # a comment without an end"sv,
                                    "P6 4 # 4 255\n"sv,
                                    "P5 x 4 255\n1234"sv,
                                    "P5 4.0 4 255\n1234567890123456"sv};
  for (const std::string_view file : files) expect_refused(bytes_from(file), std::string(file));
}

TEST(Hostile, Bmp) {
  struct Patch {
    const char* file;
    std::size_t at;
    std::uint64_t value;
    std::size_t size;
  };
  constexpr std::size_t kOffset = 10, kWidth = 18, kHeight = 22, kBits = 28, kCoding = 30;
  for (const auto& [file, at, value, size] : {Patch{"rgb24.bmp", kWidth, 0, 4},
                                              {"rgb24.bmp", kWidth, 0xFFFFFFED, 4},
                                              {"rgb24.bmp", kWidth, 0x7FFFFFFF, 4},
                                              {"rgb24.bmp", kWidth, 0x80000000, 4},
                                              {"rgb24.bmp", kWidth, 20000, 4},
                                              {"rgb24.bmp", kWidth, 21, 4},
                                              {"rgb24.bmp", kHeight, 0, 4},
                                              {"rgb24.bmp", kHeight, 0x80000000, 4},
                                              {"rgb24.bmp", kHeight, 0x7FFFFFFF, 4},
                                              {"rgb24.bmp", kHeight, 15, 4},
                                              {"rgb24.bmp", kHeight, 0xFFFFFFF1, 4},
                                              {"rgb24.bmp", kBits, 0, 2},
                                              {"rgb24.bmp", kBits, 2, 2},
                                              {"rgb24.bmp", kBits, 25, 2},
                                              {"rgb24.bmp", kBits, 64, 2},
                                              {"rgb24.bmp", kBits, 0xFFFF, 2},
                                              {"rgb24.bmp", kBits, 32, 2},
                                              {"rgb24.bmp", kCoding, 1, 4},
                                              {"rgb24.bmp", kCoding, 3, 4},
                                              {"rgb24.bmp", kCoding, 4, 4},
                                              {"rgb24.bmp", kCoding, 0xFFFFFFFF, 4},
                                              {"rgb24.bmp", kOffset, 0xFFFFFFFF, 4},
                                              {"rgb24.bmp", kOffset, 60, 4},
                                              {"palette4.bmp", kOffset, 54, 4},
                                              {"palette4.bmp", kOffset, 0, 4},
                                              {"palette4.bmp", kCoding, 1, 4},
                                              {"rgb565.bmp", 54, 0xF0F0, 4},
                                              {"rgb565.bmp", 58, 0xFFFFFFFD, 4},
                                              {"os2.bmp", 18, 0, 2},
                                              {"os2.bmp", 18, 0xFFFF, 2},
                                              {"os2.bmp", 24, 16, 2}}) {
    const FileBytes bytes = patched(bytes_of(std::string("formats/") + file), at, value, size);
    expect_refused(bytes, fmt::format("{}: {:#x} at {}", file, value, at), {.max_pixels = 1 << 24});
  }
}

TEST(Hostile, Gif) {
  const FileBytes good = bytes_of("formats/palette.gif");
  const std::size_t frame = find(good, ",\0\0\0\0\x13\0\x0E\0"sv);
  expect_refused(patched(good, frame + 5, 0, 2), "a frame without width");
  expect_refused(patched(good, frame + 7, 0, 2), "a frame without height");
  expect_refused(patched(good, frame + 5, 0xFFFF, 2), "a wide frame");
  expect_refused(patched(good, frame + 7, 0xFFFF, 2), "a high frame");
  expect_refused(patched(patched(good, frame + 1, 0xFFFF, 2), frame + 3, 0xFFFF, 2), "far outside");
  expect_refused(patched(patched(good, 6, 0xFFFF, 2), 8, 0xFFFF, 2), "a canvas of 4 gigapixels");
  for (const std::uint64_t bits : {0, 9, 12, 13, 255})
    expect_refused(patched(good, frame + 10, bits, 1), fmt::format("codes of {} bits", bits));
  for (const std::uint64_t mark : {0x00, 0x3B, 0x21, 0x41, 0xFF})
    expect_refused(patched(good, frame, mark, 1), fmt::format("block {:#x} for the frame", mark));
  expect_refused(patched(good, frame + 9, 0x87, 1), "a color table that is not there");
  expect_refused(patched(good, 10, 0x00, 1), "a color table that is not announced");
  expect_refused(patched(good, frame + 11, 1, 1), "a first block of one byte");
  expect_refused(patched(good, frame + 11, 0, 1), "no pixels");
  expect_refused(bytes_from("GIF89a"sv), "the signature alone");
  expect_refused(bytes_from("GIF89a\4\0\4\0\0\0\0"sv), "a header alone");
  expect_refused(bytes_from("GIF89a\4\0\4\0\0\0\0;"sv), "no frame");
  expect_refused(bytes_from("GIF89a\4\0\4\0\x87\0\0;"sv), "a cut color table");
  expect_refused(bytes_from("GIF89a\4\0\4\0\0\0\0!\xF9\4\0\0\0"sv), "a cut extension");
  expect_refused(bytes_from("GIF89a\4\0\4\0\0\0\0!\xFE\xFF"sv), "a comment without an end");
}

TEST(Hostile, WebP) {
  for (const std::string name : {"lossless.webp", "alpha_lossy.webp", "animated.webp"}) {
    const FileBytes good = bytes_of("formats/" + name);
    for (const std::uint64_t size : {0ULL, 1ULL, 11ULL, 20ULL, 0xFFFFFFFFULL})
      expect_refused(patched(good, 4, size, 4), fmt::format("{}: RIFF of {} bytes", name, size));
    for (const std::uint64_t size : {0x7FFFFFFFULL, 0xFFFFFFFFULL})
      expect_refused(patched(good, 16, size, 4), fmt::format("{}: first chunk of {}", name, size));
    expect_refused(patched(good, 12, 0x58585858, 4), name + ": another first chunk");
  }
  const FileBytes lossless = bytes_of("formats/lossless.webp");
  expect_refused(patched(lossless, 20, 0x30, 1), "no signature");
  expect_refused(patched(lossless, 21, 0x0FFFFFFF, 4), "16384 x 16384 px", {.max_pixels = 1 << 24});
  expect_refused(patched(lossless, 21, 0xFFFFFFFF, 4), "another version");
  const FileBytes moving = bytes_of("formats/animated.webp");
  const std::size_t frame = find(moving, "ANMF"sv) + 8;
  expect_refused(patched(moving, frame, 0xFFFF, 3), "a frame right of the canvas");
  expect_refused(patched(moving, frame + 3, 1, 3), "a frame that hangs over");
  expect_refused(patched(moving, frame - 4, 0xFFFFFFFF, 4), "a frame without an end");
  expect_refused(patched(moving, 24, 0xFFFFFFFFFFFF, 6), "a canvas of 2^48 px");
}

/** The offset of a directory entry in a little-endian TIFF; the entry is tag, type, count, value.
 */
std::size_t entry_of(const FileBytes& bytes, std::uint16_t tag) {
  const auto u16 = [&](std::size_t at) {
    return std::to_integer<std::size_t>(bytes.at(at)) |
           std::to_integer<std::size_t>(bytes.at(at + 1)) << 8;
  };
  const std::size_t directory = u16(4) | u16(6) << 16;
  for (std::size_t i = 0; i < u16(directory); ++i)
    if (u16(directory + 2 + 12 * i) == tag) return directory + 2 + 12 * i;
  ADD_FAILURE() << "no tag " << tag;
  return 0;
}

TEST(Hostile, Tiff) {
  constexpr std::uint16_t kWidth = 256, kHeight = 257, kBits = 258, kCoding = 259, kColors = 262,
                          kOffsets = 273, kSamples = 277, kRows = 278, kPlanar = 284,
                          kTileWidth = 322, kTileHeight = 323, kTileOffsets = 324;
  struct Patch {
    const char* file;
    std::uint16_t tag;
    std::uint32_t value;
  };
  // Values of this table replace the entry by one of type LONG and count 1.
  for (const auto& [file, tag, value] : {Patch{"gray.tif", kWidth, 0},
                                         {"gray.tif", kWidth, 0xFFFFFFFF},
                                         {"gray.tif", kWidth, 0x10000000},
                                         {"gray.tif", kWidth, 10000},
                                         {"gray.tif", kHeight, 0},
                                         {"gray.tif", kHeight, 0xFFFFFFFF},
                                         {"gray.tif", kHeight, 0x80000000},
                                         {"gray.tif", kHeight, 1000000},
                                         {"gray.tif", kBits, 0},
                                         {"gray.tif", kBits, 33},
                                         {"gray.tif", kBits, 64},
                                         {"gray.tif", kBits, 16},
                                         {"gray.tif", kCoding, 5},
                                         {"gray.tif", kCoding, 7},
                                         {"gray.tif", kCoding, 9999},
                                         {"gray.tif", kCoding, 6},
                                         {"gray.tif", kColors, 99},
                                         {"gray.tif", kColors, 2},
                                         {"gray.tif", kColors, 5},
                                         {"gray.tif", kOffsets, 0xFFFFFFFF},
                                         {"gray.tif", kOffsets, 100000},
                                         {"gray.tif", kRows, 0},
                                         {"rgb.tif", kPlanar, 7},
                                         {"rgb.tif", kSamples, 0},
                                         {"rgb.tif", kSamples, 65535},
                                         {"rgb.tif", kSamples, 5},
                                         {"rgb_lzw.tif", kCoding, 8},
                                         {"rgb_lzw.tif", kHeight, 20000000},
                                         {"rgb_deflate.tif", kWidth, 5000000},
                                         {"rgb_packbits.tif", kHeight, 1000000},
                                         {"rgb_jpeg.tif", kHeight, 4000},
                                         {"palette.tif", kBits, 16},
                                         {"tiled.tif", kTileWidth, 0},
                                         {"tiled.tif", kTileWidth, 0x80000000},
                                         {"tiled.tif", kTileHeight, 0},
                                         {"tiled.tif", kTileHeight, 0xFFFFFFF0},
                                         {"tiled.tif", kTileOffsets, 0xFFFFFFFF}}) {
    FileBytes bytes = bytes_of(std::string("formats/") + file);
    const std::size_t entry = entry_of(bytes, tag);
    bytes = patched(patched(patched(bytes, entry + 2, 4, 2), entry + 4, 1, 4), entry + 8, value, 4);
    expect_refused(bytes, fmt::format("{}: tag {} is {}", file, tag, value));
  }
  const FileBytes good = bytes_of("formats/gray.tif");
  for (const std::uint64_t offset : {0ULL, 1ULL, 7ULL, 0x7FFFFFFFULL, 0xFFFFFFFFULL})
    expect_refused(patched(good, 4, offset, 4), fmt::format("directory at {}", offset));
  expect_refused(patched(good, entry_of(good, kWidth), 9999, 2), "no width");
  expect_refused(patched(good, entry_of(good, kOffsets), 9999, 2), "no offsets");
  expect_refused(patched(good, entry_of(good, kWidth) + 2, 99, 2), "a type that does not exist");
  // A directory that follows itself: page 0 is fine, there is no page 1, and counting ends.
  const std::size_t directory = 8, entries = std::to_integer<std::size_t>(good.at(directory));
  const FileBytes loop = patched(good, directory + 2 + 12 * entries, directory, 4);
  EXPECT_EQ(decode(loop, 1).width, 19);
  EXPECT_EQ(peek(loop).pages, 1);
  expect_refused(loop, "page 1 of a loop", {.page = 1});
}

TEST(Hostile, Jpeg) {
  const FileBytes good = bytes_of("files/rgb420.jpg");
  const std::size_t frame = find(good, "\xFF\xC0"sv), scan = find(good, "\xFF\xDA"sv);
  for (const auto& [at, value, what] : {std::tuple{frame + 4, 12, "12 bits"},
                                        {frame + 4, 0, "no bits"},
                                        {frame + 9, 0, "no components"},
                                        {frame + 9, 2, "two components"},
                                        {frame + 9, 5, "five components"},
                                        {frame + 11, 0x00, "sampled 0 x 0"},
                                        {frame + 11, 0x55, "sampled 5 x 5"},
                                        {frame + 3, 8, "a short frame"},
                                        {frame + 1, 0xC3, "lossless"},
                                        {frame + 1, 0xC5, "hierarchical"},
                                        {frame + 1, 0xFE, "no frame"},
                                        {scan + 4, 0, "a scan of nothing"},
                                        {scan + 4, 5, "a scan of five"},
                                        {scan + 5, 99, "a scan of an unknown component"},
                                        {scan + 3, 2, "a short scan"},
                                        {scan + 1, 0xFE, "no scan"},
                                        {scan + 1, 0xD9, "the end"}})
    expect_refused(patched(good, at, static_cast<std::uint64_t>(value), 1), what);
  expect_refused(patched(good, frame + 5, 0, 2), "no height");
  expect_refused(patched(good, frame + 7, 0, 2), "no width");
  expect_refused(patched(good, frame + 5, 0xFFFF, 2), "high");
}

TEST(Hostile, PngChunks) {
  const FileBytes good = bytes_of("files/rgb8.png");
  const std::size_t data = find(good, "IDAT"sv);
  for (const auto& [at, value, what] : {std::tuple{std::size_t{11}, 14, "a long header"},
                                        {std::size_t{12}, 'X', "no header"},
                                        {std::size_t{19}, 20, "another width"},
                                        {std::size_t{24}, 3, "3 bits"},
                                        {std::size_t{25}, 1, "color type 1"},
                                        {std::size_t{28}, 2, "interlacing 2"},
                                        {data, 'X', "no pixels"},
                                        {data - 4, 0xFF, "pixels of 4 GB"},
                                        {data - 1, 1, "pixels of a byte"},
                                        {data + 4, 0, "no deflate stream"}})
    expect_refused(patched(good, at, static_cast<std::uint64_t>(value), 1), what);
}

TEST(Hostile, LiesThatTheLibrariesMendGiveTheRightSize) {
  const auto expect_size = [](const FileBytes& bytes, const char* what) {
    const Image image = decode(bytes, 3);
    const ImageInfo info = peek(bytes);
    EXPECT_EQ(image.width, info.width) << what;
    EXPECT_EQ(image.height, info.height) << what;
  };
  const FileBytes tiff = bytes_of("formats/gray.tif"), runs = bytes_of("formats/rle8.bmp");
  for (const std::uint64_t size : {0ULL, 1ULL, 0xFFFFFFFFULL})
    expect_size(patched(tiff, entry_of(tiff, 279) + 8, size, 4), "wrong byte count of a strip");
  expect_size(patched(tiff, entry_of(tiff, 262) + 8, 3, 2), "a palette image without palette");
  expect_size(patched(runs, 22, 100, 4), "runs that end early");
  expect_size(patched(runs, 18, 5000, 4), "runs that leave lines short");
  expect_size(patched(bytes_of("formats/lossless.webp"), 16, 0, 4), "an empty chunk");
  FileBytes jpeg = bytes_of("files/rgb420.jpg");
  for (std::size_t at = 0; at + 1 < jpeg.size(); ++at)
    if (jpeg[at] == std::byte{0xFF} && jpeg[at + 1] == std::byte{0xC4})
      jpeg[at + 1] = std::byte{0xFE};
  expect_size(jpeg, "no Huffman tables: the usual ones");
}

}  // namespace
}  // namespace dino::image
