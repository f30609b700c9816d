// HEIC, AVIF, JPEG XL and JPEG 2000 against other readers of them
// (tests/golden/image/make_modern_golden.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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

const nlohmann::json& golden() {
  static const nlohmann::json parsed =
      nlohmann::json::parse(std::ifstream(kFolder / "modern.json"));
  return parsed;
}

/** Calls check(bytes, entry) for every entry that has `key`. */
template <typename Check>
void for_each_entry(const std::string& key, int at_least, Check check) {
  int count = 0;
  for (const auto& [name, entry] : golden().items()) {
    if (!entry.contains(key)) continue;
    SCOPED_TRACE(name);
    check(read_file(kFolder / "modern" / name), entry);
    ++count;
  }
  EXPECT_GE(count, at_least);
}

void expect_near(const Image& image, const std::string& hex, int tolerance) {
  ASSERT_EQ(image.pixels.size() * 2, hex.size());
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    ASSERT_NEAR(image.pixels[i], std::stoi(hex.substr(2 * i, 2), nullptr, 16), tolerance)
        << "sample " << i;
}

TEST(Modern, EqualOtherReaders) {
  for_each_entry("rgb", 25, [](const FileBytes& bytes, const auto& entry) {
    const Image rgb = decode(bytes, 3);
    EXPECT_EQ(rgb.width, entry.at("size")[0]);
    EXPECT_EQ(rgb.height, entry.at("size")[1]);
    expect_near(rgb, entry.at("rgb"), entry.at("tolerance"));
    EXPECT_EQ(decode(bytes, 1).channels, 1);
  });
}

TEST(Modern, KeepWideSamples) {
  for_each_entry("wide", 15, [](const FileBytes& bytes, const auto& entry) {
    const auto expected = entry.at("wide").template get<std::vector<float>>();
    const int samples = static_cast<int>(expected.size()) /
                        entry.at("size")[0].template get<int>() /
                        entry.at("size")[1].template get<int>();
    const Planes planes = decode_wide(bytes, samples);
    ASSERT_EQ(planes.channels, samples);
    const auto count = static_cast<std::size_t>(samples);
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(planes.plane(static_cast<int>(i % count))[i / count], expected[i],
                  entry.at("wide_tolerance").template get<float>())
          << i;
    const Image image = decode(bytes, samples);
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(image.pixels[i], std::clamp(expected[i], 0.0F, 1.0F) * 255, 2.0F);
  });
}

TEST(Modern, PeekTellsWhatDecodeGives) {
  for_each_entry("size", 38, [](const FileBytes& bytes, const auto& entry) {
    const ImageInfo info = peek(bytes);
    EXPECT_EQ(info.width, entry.at("size")[0]);
    EXPECT_EQ(info.height, entry.at("size")[1]);
    EXPECT_EQ(info.channels, entry.at("channels"));
    EXPECT_EQ(info.bits, entry.at("bits"));
    EXPECT_EQ(info.has_alpha, entry.at("alpha"));
    EXPECT_EQ(info.is_float, entry.at("bits") == 32);
    EXPECT_EQ(decode(bytes, 0).channels, info.channels);
    EXPECT_EQ(decode_wide(bytes, 0).channels, info.channels);
  });
}

TEST(Modern, RangesAreThoseOfTheBits) {
  for (const auto& [name, high] : {std::pair{"bits10.heic", 1023.0},
                                   {"bits12.heic", 4095.0},
                                   {"bits10.avif", 1023.0},
                                   {"bits12.jxl", 4095.0},
                                   {"bits16.jxl", 65535.0},
                                   {"bits10.j2k", 1023.0},
                                   {"gray16.jp2", 65535.0},
                                   {"lossless.jp2", 255.0},
                                   {"float32.jxl", 1.0}})
    EXPECT_EQ(read_raster(read_file(kFolder / "modern" / name)).range(), (ValueRange{0, high}))
        << name;
  EXPECT_EQ(read_raster(read_file(kFolder / "modern" / "signed12.jp2")).range(),
            (ValueRange{-2048, 2047}));
}

TEST(Modern, NotUprightGivesTheStoredPixels) {
  for_each_entry("stored", 3, [](const FileBytes& bytes, const auto& entry) {
    const Image image = decode(bytes, 3, {.upright = false});
    EXPECT_EQ(image.width, entry.at("stored_size")[0]);
    expect_near(image, entry.at("stored"), 12);  // by libjpeg
  });
}

TEST(Modern, RegionsAreThoseOfTheWhole) {
  for_each_entry("rgb", 25, [](const FileBytes& bytes, const auto&) {
    const Image whole = decode(bytes, 3), part = decode_region(bytes, {3, 2, 9, 7}, 3);
    for (int y = 0; y < 7; ++y)
      EXPECT_TRUE(std::equal(part.row(y), part.row(y) + part.row_bytes(), whole.row(y + 2) + 9));
  });
}

TEST(Modern, LayTransparentPixelsOverABackground) {
  int count = 0;
  for (const char* name : {"alpha.heic", "alpha.avif", "alpha.jxl", "alpha.jp2"}) {
    SCOPED_TRACE(name);
    const FileBytes bytes = read_file(kFolder / "modern" / name);
    const Image rgba = decode(bytes, 4), over = decode(bytes, 3, {.background = {{10, 200, 90}}});
    const std::uint8_t under[] = {10, 200, 90};
    for (std::size_t i = 0; i < over.pixels.size(); ++i) {
      const std::size_t pixel = i / 3, c = i % 3;
      const double alpha = rgba.pixels[4 * pixel + 3] / 255.0;
      ASSERT_NEAR(over.pixels[i], rgba.pixels[4 * pixel + c] * alpha + under[c] * (1 - alpha), 0.6);
    }
    ++count;
  }
  EXPECT_EQ(count, 4);
}

TEST(Modern, TruncatedFilesAreRefused) {
  for_each_entry("size", 38, [](const FileBytes& bytes, const auto& entry) {
    if (entry.contains("frames")) return;  // the first frame may be whole
    for (std::size_t i = 0; i < 64; ++i) {
      const FileBytes part(bytes.begin(),
                           bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() * i / 64));
      EXPECT_THROW(decode(part, 3), Error) << part.size() << " of " << bytes.size();
    }
  });
}

}  // namespace
}  // namespace dino::image
