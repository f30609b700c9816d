#include "dino/image/codecs/decode.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/codecs/encode.h"
#include "tests/image/synthetic.h"

namespace dino::image {
namespace {

using FileBytes = std::vector<std::byte>;

const std::filesystem::path kFolder = DINO_SOURCE_DIR "/tests/golden/image";

FileBytes bytes_of(const std::string& name) {
  std::ifstream file(kFolder / "files" / name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

FileBytes bytes_from(std::string_view text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

std::vector<std::uint8_t> from_hex(const std::string& hex) {
  std::vector<std::uint8_t> samples;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    samples.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return samples;
}

const nlohmann::json& golden() {
  static const nlohmann::json parsed =
      nlohmann::json::parse(std::ifstream(kFolder / "decoded.json"));
  return parsed;
}

/** The message of the Error{Format} that decoding must throw. */
std::string refusal(const FileBytes& bytes, const DecodeOptions& options = {}) {
  try {
    decode(bytes, 3, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "decoded";
  return "";
}

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(Decode, EqualsPillow) {
  ASSERT_GE(golden().size(), 20u);
  for (const auto& [name, expected] : golden().items()) {
    SCOPED_TRACE(name);
    // PNG is exact by definition; JPEG decoders may differ by rounding between libjpeg versions.
    const int tolerance = name.ends_with(".png") ? 0 : 1;
    const FileBytes bytes = bytes_of(name);
    for (const int channels : {1, 3}) {
      const Image image = decode(bytes, channels);
      EXPECT_EQ(image.width, expected.at("size")[0]);
      EXPECT_EQ(image.height, expected.at("size")[1]);
      EXPECT_EQ(image.channels, channels);
      const auto samples = from_hex(expected.at(channels == 3 ? "rgb" : "gray"));
      ASSERT_EQ(image.pixels.size(), samples.size());
      for (std::size_t i = 0; i < samples.size(); ++i)
        ASSERT_NEAR(image.pixels[i], samples[i], tolerance) << "sample " << i;
    }
  }
}

TEST(Decode, PeeksAtSizesWithoutDecoding) {
  for (const auto& [name, expected] : golden().items()) {
    SCOPED_TRACE(name);
    const ImageInfo info = peek(bytes_of(name));
    EXPECT_EQ(info.kind, name.ends_with(".png") ? ImageKind::Png : ImageKind::Jpeg);
    EXPECT_EQ(info.width, expected.at("size")[0]);
    EXPECT_EQ(info.height, expected.at("size")[1]);
    EXPECT_EQ(info.channels, expected.at("channels"));
  }
  EXPECT_THROW(peek(FileBytes{}), Error);
}

TEST(Decode, RefusesEveryTruncation) {
  for (const auto& [name, unused] : golden().items()) {
    SCOPED_TRACE(name);
    const FileBytes bytes = bytes_of(name);
    // Up to the end of the pixel data; a missing end marker after it harms nobody.
    const std::size_t tail = name.ends_with(".png") ? 12 + 4 + 4 : 2;
    for (std::size_t size = 0; size + tail < bytes.size(); size += size < 64 ? 1 : 13)
      EXPECT_THROW(decode({bytes.data(), size}, 3), Error) << size << " of " << bytes.size();
  }
}

TEST(Decode, SurvivesEveryDamagedByte) {
  for (const std::string name : {"rgb420.jpg", "rgb422_progressive.jpg", "ycck.jpg", "palette.png",
                                 "interlaced.png", "gray2_transparent.png"}) {
    const FileBytes bytes = bytes_of(name);
    for (std::size_t at = 0; at < bytes.size(); ++at)
      for (const std::byte flip : {std::byte{0xFF}, std::byte{0x10}}) {
        FileBytes damaged = bytes;
        damaged[at] ^= flip;
        try {
          const Image image = decode(damaged, 3, {.max_pixels = 1 << 20});
          EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.width) *
                                             static_cast<std::size_t>(image.height) * 3);
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::Format);
        }
      }
  }
}

TEST(Decode, RefusesABadChecksumOfPixels) {
  FileBytes bytes = bytes_of("rgb8.png");
  bytes[bytes.size() - 13] ^= std::byte{1};  // last byte of the checksum of IDAT
  expect_contains(refusal(bytes), "PNG");
}

TEST(Decode, NamesWhatIsNoImage) {
  expect_contains(refusal({}), "an empty file");
  expect_contains(refusal(bytes_from("hello, I am not a picture\n")), "text");
  expect_contains(refusal(bytes_from("\n<!DOCTYPE html><html><body>404</body></html>")), "HTML");
  expect_contains(refusal(bytes_from("GIF89a\1\2\3")), "GIF");
  expect_contains(refusal(bytes_from(std::string("RIFF\1\2\3\4WEBPVP8 "))), "WebP");
  expect_contains(refusal(bytes_from(std::string_view("II*\0\377\377\377\377", 8))), "TIFF");
  expect_contains(refusal(bytes_from(std::string_view("BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0", 16))),
                  "BMP");
  expect_contains(refusal(bytes_from("P6\n4 4")), "PNM");
  expect_contains(refusal(bytes_from("version https://git-lfs.github.com/spec/v1\n")), "Git LFS");
  expect_contains(refusal(bytes_from("\1\2\3\4\5")), "unknown binary data");
  expect_contains(refusal(bytes_from("\xFF\xD8\xFF")), "JPEG");
  expect_contains(refusal(bytes_from("\x89PNG\r\n\x1A\n")), "PNG");
}

TEST(Decode, RefusesHugeHeadersBeforeAllocating) {
  FileBytes png = bytes_of("rgb8.png");
  // IHDR of 30,000 x 30,000 px with its right checksum, then an empty IDAT.
  const FileBytes huge = bytes_from(std::string_view(
      "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\x75\x30\0\0\x75\x30\x08\x02\0\0\0\xE9\x45\x6F\xED"
      "\0\0\0\0IDAT\x35\xAF\x06\x1E",
      45));
  expect_contains(refusal(huge), "limit");
  expect_contains(refusal(huge, {.max_pixels = 2'000'000'000}), "truncated");

  FileBytes jpeg = bytes_of("rgb420.jpg");
  for (std::size_t i = 0; i + 9 < jpeg.size(); ++i)
    if (jpeg[i] == std::byte{0xFF} && jpeg[i + 1] == std::byte{0xC0}) {
      jpeg[i + 5] = jpeg[i + 7] = std::byte{0xFF};  // height and width above 65,280
      break;
    }
  expect_contains(refusal(jpeg), "limit");
  expect_contains(refusal(jpeg, {.max_pixels = 5'000'000'000}), "truncated");
  expect_contains(refusal(png, {.max_pixels = 19 * 14 - 1}), "limit");
  EXPECT_EQ(decode(png, 3, {.max_pixels = 19 * 14}).width, 19);
}

TEST(Decode, NamesTheFile) {
  EXPECT_THROW(decode_file(kFolder / "files" / "missing.png", 3), Error);
  EXPECT_EQ(decode_file(kFolder / "files" / "gray8.png", 1).height, 14);
  try {
    decode_file(kFolder / "decoded.json", 3);
    FAIL();
  } catch (const Error& error) {
    expect_contains(error.what(), "decoded.json");
  }
}

TEST(Decode, RefusesOddChannelCounts) {
  EXPECT_THROW(decode(bytes_of("rgb8.png"), 2), Error);
  EXPECT_THROW(decode(bytes_of("rgb420.jpg"), 2), Error);
}

}  // namespace
}  // namespace dino::image
