// Files of a few bytes that promise a gigabyte of pixels (tests/golden/image/make_bomb_golden.py):
// refused before memory is taken, in every format.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/codecs/encode.h"

namespace dino::image {
namespace {

const std::filesystem::path kBombs = DINO_SOURCE_DIR "/tests/golden/image/bombs";

/** The most memory this process has held since the last reset, bytes; 0 if the system does not say.
 */
std::size_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) * 1024;
  return 0;
}

bool reset_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << 5 << std::flush;
  return file.good();
}

/** Bytes that `work` needed beyond what was held before. */
template <typename Work>
std::size_t extra_bytes(const Work& work) {
  reset_peak();
  const std::size_t before = peak_bytes();
  work();
  return peak_bytes() - before;
}

TEST(Memory, FilesThatPromiseMuchAndHoldNothingTakeNone) {
  if (!reset_peak() || peak_bytes() == 0) GTEST_SKIP() << "no /proc/self/clear_refs";
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator(kBombs)) {
    const std::vector<std::byte> bytes = read_file(file.path());
    SCOPED_TRACE(file.path().filename().string());
    for (const bool wide : {false, true}) {
      std::string said;
      const std::size_t taken = extra_bytes([&] {
        try {
          if (wide)
            decode_wide(bytes, 0);
          else
            decode(bytes, 3);
          ADD_FAILURE() << "went through";
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
          said = error.what();
        }
      });
      // lie.
      EXPECT_LT(taken, std::size_t{16} << 20) << said;
    }
    ++count;
  }
  EXPECT_GE(count, 10);
}

void expect_refused(const std::vector<std::byte>& bytes, const std::string& why) {
  try {
    decode(bytes, 3);
    ADD_FAILURE() << "went through";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
  }
}

std::vector<std::byte> patched(std::vector<std::byte> bytes, std::size_t at, std::uint32_t value,
                               std::size_t size, bool big_endian) {
  for (std::size_t i = 0; i < size; ++i)
    bytes.at(at + (big_endian ? size - 1 - i : i)) = static_cast<std::byte>(value >> (8 * i));
  return bytes;
}

// Below the size that is believed in any case a format's own bound counts.
TEST(Memory, FramesNeedTheBytesThatTheirCodingTakes) {
  std::vector<std::byte> png = read_file(kBombs / "flat.png"),
                         gif = read_file(kBombs / "frame.gif");
  // The header's checksum comes later than its size, when pixels are read.
  png = patched(patched(png, 16, 4000, 4, true), 20, 4000, 4, true);
  for (const std::size_t at : {6, 8, 18, 20}) gif = patched(gif, at, 4000, 2, false);
  expect_refused(gif, "cannot hold");
  EXPECT_LT(extra_bytes([&] { EXPECT_THROW(decode(gif, 3), Error); }), std::size_t{4} << 20);
  EXPECT_THROW(decode(png, 3), Error);
}

TEST(Memory, TheFlattestPngIsWhole) {
  const Image flat(2000, 2000, 3);
  std::vector<std::byte> bytes = encode_png(flat);
  EXPECT_LT(bytes.size(), 15'000U);
  EXPECT_EQ(decode(bytes, 3), flat);
  bytes.resize(bytes.size() * 9 / 10);
  expect_refused(bytes, "cannot hold");
}

/** A progressive JPEG whose last scan comes `times` times more. */
std::vector<std::byte> with_more_scans(int times) {
  const auto good = read_file(DINO_SOURCE_DIR "/tests/golden/image/files/rgb422_progressive.jpg");
  std::size_t last = 0;
  for (std::size_t at = 0; at + 1 < good.size(); ++at)
    if (good[at] == std::byte{0xFF} && good[at + 1] == std::byte{0xDA}) last = at;
  const auto scan = good.begin() + static_cast<std::ptrdiff_t>(last), end = good.end() - 2;
  std::vector<std::byte> bytes(good.begin(), end);
  for (int i = 0; i < times; ++i) bytes.insert(bytes.end(), scan, end);
  bytes.insert(bytes.end(), end, good.end());
  return bytes;
}

TEST(Memory, ScansAreCounted) {
  EXPECT_EQ(decode(with_more_scans(400), 3).width, 29);
  expect_refused(with_more_scans(600), "too many scans");
}

}  // namespace
}  // namespace dino::image
