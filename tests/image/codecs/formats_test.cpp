// Every format beside JPEG and PNG, orientations and alpha, against Pillow and tifffile
// (tests/golden/image/make_format_golden.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/image/codecs/decode.h"

namespace dino::image {
namespace {

const std::filesystem::path kFolder = DINO_SOURCE_DIR "/tests/golden/image";

using FileBytes = std::vector<std::byte>;

FileBytes bytes_of(const std::string& name) {
  return read_file(kFolder / "formats" / name);
}

const nlohmann::json& golden() {
  static const nlohmann::json parsed =
      nlohmann::json::parse(std::ifstream(kFolder / "formats.json"));
  return parsed;
}

std::vector<std::uint8_t> from_hex(const std::string& hex) {
  std::vector<std::uint8_t> samples;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    samples.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return samples;
}

/** Calls check(bytes, entry, options) for every entry that has `key`. */
template <typename Check>
void for_each_entry(const std::string& key, int at_least, Check check) {
  int count = 0;
  for (const auto& [name, entry] : golden().items()) {
    if (!entry.contains(key)) continue;
    SCOPED_TRACE(name);
    check(bytes_of(entry.at("file")), entry, DecodeOptions{.page = entry.value("page", 0)});
    ++count;
  }
  EXPECT_GE(count, at_least);
}

/** libjpeg and libwebp round differently between versions; the rest is exact. */
int tolerance_of(const nlohmann::json& entry) {
  const std::string name = entry.at("file");
  const bool exact_webp = name != "lossy.webp" && name != "alpha_lossy.webp";
  return name.ends_with(".jpg") || name == "rgb_jpeg.tif" || !exact_webp ? 1 : 0;
}

void expect_near(const Image& image, const std::string& hex, int tolerance) {
  const auto samples = from_hex(hex);
  ASSERT_EQ(image.pixels.size(), samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i)
    ASSERT_NEAR(image.pixels[i], samples[i], tolerance) << "sample " << i;
}

TEST(Formats, EqualPillow) {
  for_each_entry("rgb", 60, [](const FileBytes& bytes, const auto& entry, auto options) {
    const Image rgb = decode(bytes, 3, options);
    EXPECT_EQ(rgb.width, entry.at("size")[0]);
    EXPECT_EQ(rgb.height, entry.at("size")[1]);
    expect_near(rgb, entry.at("rgb"), tolerance_of(entry));
    expect_near(decode(bytes, 1, options), entry.at("gray"), tolerance_of(entry));
  });
}

TEST(Formats, LayTransparentPixelsOverABackground) {
  for_each_entry("over", 8, [](const FileBytes& bytes, const auto& entry, auto options) {
    options.background = {10, 200, 90};
    expect_near(decode(bytes, 3, options), entry.at("over"), tolerance_of(entry));
    const Planes wide = decode_wide(bytes, 3, options);
    const Image image = decode(bytes, 3, options);
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      ASSERT_NEAR(wide.plane(static_cast<int>(i % 3))[i / 3] * 255, image.pixels[i], 1.01);
  });
}

TEST(Formats, KeepWideSamples) {
  for_each_entry("wide", 15, [](const FileBytes& bytes, const auto& entry, auto options) {
    const auto expected = entry.at("wide").template get<std::vector<float>>();
    const int samples = static_cast<int>(expected.size()) /
                        entry.at("size")[0].template get<int>() /
                        entry.at("size")[1].template get<int>();
    const Planes planes = decode_wide(bytes, samples, options);
    ASSERT_EQ(planes.channels, samples);
    ASSERT_EQ(planes.values.size(), expected.size());
    const auto count = static_cast<std::size_t>(samples);
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(planes.plane(static_cast<int>(i % count))[i / count], expected[i], 1e-6) << i;
    EXPECT_EQ(decode_wide(bytes, 0, options).channels, entry.at("channels"));
    const Image image = decode(bytes, samples, options);
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(image.pixels[i], std::clamp(expected[i], 0.0F, 1.0F) * 255, 1.0F);
  });
}

TEST(Formats, EightBitFilesGiveTheirValuesOver255) {
  for (const auto& [name, entry] : golden().items()) {
    if (entry.at("bits") == 16 || entry.at("bits") == 32 || entry.at("bits") == 64) continue;
    SCOPED_TRACE(name);
    const DecodeOptions options{.page = entry.value("page", 0)};
    const FileBytes bytes = bytes_of(entry.at("file"));
    const Image image = decode(bytes, 0, options);
    const Planes planes = decode_wide(bytes, 0, options);
    EXPECT_EQ(image.channels, entry.at("channels"));
    ASSERT_EQ(planes.channels, image.channels);
    // Where white is 100, eight bits round.
    const float tolerance = name == "maximum100.pgm" || name == "plain.pgm" ? 0.501F / 255 : 1e-7F;
    const auto count = static_cast<std::size_t>(image.channels);
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      ASSERT_NEAR(planes.plane(static_cast<int>(i % count))[i / count],
                  static_cast<float>(image.pixels[i]) / 255, tolerance);
  }
}

TEST(Formats, PeekTellsWhatDecodingGives) {
  for_each_entry("file", 75, [](const FileBytes& bytes, const auto& entry, auto options) {
    const ImageInfo info = peek(bytes, options);
    EXPECT_EQ(info.width, entry.at("size")[0]);
    EXPECT_EQ(info.height, entry.at("size")[1]);
    EXPECT_EQ(info.channels, entry.at("channels"));
    EXPECT_EQ(info.bits, entry.at("bits"));
    EXPECT_EQ(info.has_alpha, entry.at("alpha"));
    EXPECT_EQ(info.pages, entry.value("pages", 1));
    EXPECT_EQ(info.is_float, entry.at("file").template get<std::string>().starts_with("float"));
  });
}

TEST(Formats, LeavePhotographsAsStoredIfAsked) {
  const FileBytes upright = bytes_of("turned1.jpg");
  for (const std::string name : {"turned3.jpg", "turned6.jpg", "turned8.jpg"}) {
    const FileBytes bytes = bytes_of(name);
    EXPECT_EQ(decode(bytes, 3, {.upright = false}), decode(upright, 3)) << name;
    EXPECT_NE(decode(bytes, 3), decode(upright, 3)) << name;
  }
  EXPECT_EQ(peek(bytes_of("turned6.jpg")).width, 17);
  EXPECT_EQ(peek(bytes_of("turned6.jpg"), {.upright = false}).width, 23);
  EXPECT_EQ(decode_wide(bytes_of("turned6.png"), 3).width, 14);
  EXPECT_EQ(decode_wide(bytes_of("turned6.png"), 3, {.upright = false}).width, 19);
}

TEST(Formats, KeepAlphaWhereAllSamplesAreAskedFor) {
  const FileBytes bytes = bytes_of("alpha.png");
  const Image all = decode(bytes, 4), rgb = decode(bytes, 3);
  for (std::size_t i = 0; i < rgb.pixels.size(); ++i)
    ASSERT_EQ(all.pixels[i / 3 * 4 + i % 3], rgb.pixels[i]);
  EXPECT_EQ(decode(bytes_of("gray_alpha.tif"), 2).channels, 2);
}

TEST(Formats, RefuseWhatIsNotThere) {
  const auto refuse = [](const std::string& name, int channels, const DecodeOptions& options,
                         ErrorKind kind, const std::string& part) {
    try {
      decode(bytes_of(name), channels, options);
      ADD_FAILURE() << "decoded " << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refuse("pages.tif", 3, {.page = 3}, ErrorKind::Format, "has 3 pages");
  refuse("bands5.tif", 3, {}, ErrorKind::Format, "5 bands");
  refuse("bands5.tif", 1, {}, ErrorKind::Format, "5 bands");
  refuse("rgb.tif", 5, {}, ErrorKind::Format, "3 bands");
  refuse("turned1.jpg", 4, {}, ErrorKind::Format, "ask for 1 or 3");
  refuse("rgb.tif", -1, {}, ErrorKind::Usage, "negative");
  refuse("rgb.tif", 3, {.page = -1}, ErrorKind::Usage, "page");
  refuse("turned1.jpg", 3, {.jpeg_shrink = 3}, ErrorKind::Usage, "jpeg_shrink");
  for (const std::string name : {"lossless.webp", "palette.gif", "rgb24.bmp", "rle8.bmp", "raw.ppm",
                                 "plain.pbm", "rgb.tif", "rgb_lzw.tif", "alpha.png"})
    refuse(name, 3, {.max_pixels = 19 * 14 - 1}, ErrorKind::Format, "limit");
}

/** Bytes at the end of a file that decoding can do without: marks and metadata after the pixels. */
std::size_t tail_of(const std::string& name) {
  if (name.ends_with(".webp")) return 8;
  if (name.ends_with(".gif")) return 3;
  return name.starts_with("rle") ? 2 : 0;
}

TEST(Formats, RefuseEveryTruncation) {
  for (const std::string name :
       {"lossless.webp", "alpha_lossy.webp", "palette.gif", "interlaced.gif", "rgb24.bmp",
        "rle8.bmp", "rle4.bmp", "palette4.bmp", "raw.ppm", "raw16.pgm", "raw.pbm"}) {
    SCOPED_TRACE(name);
    const FileBytes bytes = bytes_of(name);
    for (std::size_t size = 0; size + tail_of(name) < bytes.size(); ++size)
      EXPECT_THROW(decode({bytes.data(), size}, 3), Error) << size << " of " << bytes.size();
  }
}

/** Decoding gives an image of the size peek() tells, or an Error{Format}. */
void expect_survives(const FileBytes& bytes) {
  for (const int channels : {0, 3}) try {
      const DecodeOptions options{.max_pixels = 1 << 15};
      const Planes planes = decode_wide(bytes, channels, options);
      const Image image = decode(bytes, channels, options);
      const ImageInfo info = peek(bytes, options);
      EXPECT_EQ(image.width, info.width);
      EXPECT_EQ(image.height, info.height);
      EXPECT_EQ(planes.values.size(), image.pixels.size());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
    }
}

TEST(Formats, SurviveEveryTruncation) {
  for (const auto& [name, entry] : golden().items()) {
    if (entry.contains("page")) continue;
    SCOPED_TRACE(name);
    const FileBytes bytes = bytes_of(entry.at("file"));
    for (std::size_t size = 0; size < bytes.size(); size += size < 200 ? 1 : 61)
      expect_survives({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
  }
}

TEST(Formats, SurviveDamagedBytes) {
  for (const auto& [name, entry] : golden().items()) {
    if (entry.contains("page")) continue;
    SCOPED_TRACE(name);
    const FileBytes bytes = bytes_of(entry.at("file"));
    const bool header_at_end = entry.at("file").get<std::string>().ends_with(".tif");
    for (std::size_t at = 0; at < bytes.size();
         at += at < 64 || (header_at_end && bytes.size() - at < 320) ? 1 : 97)
      for (const std::byte flip : {std::byte{0xFF}, std::byte{0x01}}) {
        FileBytes damaged = bytes;
        damaged[at] ^= flip;
        expect_survives(damaged);
      }
  }
}

}  // namespace
}  // namespace dino::image
