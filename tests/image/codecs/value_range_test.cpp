// What sample values mean: files of every type against tifffile and NumPy, odd metadata against
// Pillow (tests/golden/image/make_value_golden.py).
#include "dino/image/value_range.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/codecs/encode.h"
#include "dino/image/codecs/sample_report.h"
#include "dino/image/codecs/tiff_pages.h"
#include "tests/image/synthetic.h"

namespace dino::image {
namespace {

const std::filesystem::path kFolder = DINO_SOURCE_DIR "/tests/golden/image";
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

using FileBytes = std::vector<std::byte>;

FileBytes bytes_of(const std::string& name) {
  return read_file(kFolder / "values" / name);
}

const nlohmann::json& golden(const char* part) {
  static const nlohmann::json parsed =
      nlohmann::json::parse(std::ifstream(kFolder / "values.json"));
  return parsed.at(part);
}

std::vector<std::uint8_t> from_hex(const std::string& hex) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

std::vector<float> floats_from_hex(const std::string& hex) {
  const std::vector<std::uint8_t> bytes = from_hex(hex);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(ValueRange, EveryTypeOfSampleMeansWhatItsFileSays) {
  int files = 0;
  for (const auto& [name, entry] : golden("samples").items()) {
    SCOPED_TRACE(name);
    ++files;
    const FileBytes bytes = bytes_of(entry.at("file"));
    const auto unit = floats_from_hex(entry.at("unit"));
    const auto levels = from_hex(entry.at("bytes"));
    const int samples = entry.at("samples");
    const auto count = static_cast<std::size_t>(samples);
    const Planes planes = decode_wide(bytes, samples);
    const Image image = decode(bytes, samples);
    EXPECT_EQ(image.width, entry.at("size")[0]);
    EXPECT_EQ(image.height, entry.at("size")[1]);
    ASSERT_EQ(planes.values.size(), unit.size());
    ASSERT_EQ(image.pixels.size(), levels.size());
    for (std::size_t i = 0; i < unit.size(); ++i) {
      const float value = planes.plane(static_cast<int>(i % count))[i / count];
      ASSERT_NEAR(value, unit[i], 2e-7F * std::max(1.0F, std::abs(unit[i]))) << i;
      ASSERT_EQ(image.pixels[i], levels[i]) << i;
    }
    const SampleReport report = report_samples(read_raster(bytes));
    EXPECT_EQ(report.type, entry.at("type"));
    EXPECT_EQ(report.range.low, entry.at("range")[0]);
    EXPECT_EQ(report.range.high, entry.at("range")[1]);
    EXPECT_EQ(report.no_data, entry.at("no_data"));
    // A page of its own, as data sets read it, says the same.
    const FileBytes page = read_tiff_page(tiff_in_memory(bytes), 0);
    EXPECT_EQ(decode(page, samples), image);
    EXPECT_EQ(decode_wide(page, samples), planes);
    // So does a part.
    const PixelBox box{image.width / 3, image.height / 4, image.width / 2, (image.height + 1) / 2};
    const Image part = decode_region(bytes, box, samples);
    for (int y = 0; y < box.height; ++y)
      ASSERT_TRUE(std::equal(part.row(y), part.row(y) + part.row_bytes(),
                             image.row(y + box.top) + box.left * samples));
  }
  EXPECT_GE(files, 60);
}

TEST(ValueRange, WhatIsNotReadIsNamed) {
  for (const auto& [name, part] : golden("refused").items()) try {
      decode(bytes_of(name), 0);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format);
      EXPECT_NE(std::string(error.what()).find(part.get<std::string>()), std::string::npos)
          << error.what();
    }
}

TEST(Metadata, NeitherStopsPngNorHidesWhichWayIsUp) {
  for (const auto& [name, entry] : golden("turned").items()) {
    SCOPED_TRACE(name);
    const FileBytes bytes = bytes_of(name);
    const Image image = decode(bytes, 3);
    EXPECT_EQ(image.width, entry.at("size")[0]);
    EXPECT_EQ(peek(bytes).width, image.width);
    const auto expected = from_hex(entry.at("rgb"));
    ASSERT_EQ(image.pixels.size(), expected.size());
    const int tolerance = name.ends_with(".jpg") ? 1 : 0;  // libjpeg's versions differ
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(image.pixels[i], expected[i], tolerance) << i;
    EXPECT_EQ(decode(bytes, 3, {.upright = false}).width, 9);
    EXPECT_EQ(read_raster(bytes).width, 9);
  }
}

/** A gray raster of one row. */
template <typename Sample>
Raster row_of(std::vector<Sample> values) {
  return {.width = static_cast<int>(values.size()),
          .height = 1,
          .samples = 1,
          .values = std::move(values)};
}

using Levels = std::vector<std::uint8_t>;

TEST(ValueRange, IsNeverToldFromTheSamples) {
  const Levels plain = to_image(row_of<float>({0, 0.25F, 0.5F, 1}), 1, {}).pixels;
  EXPECT_EQ(plain, (Levels{0, 64, 128, 255}));
  for (const float odd : {1.002F, 255.0F, 1e30F, kInfinity, kNaN, -3.0F}) {
    const Image image = to_image(row_of<float>({0, 0.25F, 0.5F, 1, odd}), 1, {});
    EXPECT_EQ(Levels(image.pixels.begin(), image.pixels.end() - 1), plain) << odd;
    EXPECT_EQ(image.pixels.back(), odd > 1 && std::isfinite(odd) ? 255 : 0) << odd;
  }
}

TEST(ValueRange, ThatIsGivenGoesBeforeThatOfTheFile) {
  Raster raster = row_of<std::uint16_t>({0, 100, 1100, 2100, 65535});
  raster.declared = {0, 4095};
  raster.given = {100, 2100};
  EXPECT_EQ(to_image(raster, 1, {}).pixels, (Levels{0, 0, 128, 255, 255}));
  const Planes planes = to_planes(raster, 1, {});
  EXPECT_FLOAT_EQ(planes.values[0], -0.05F);  // kept
  EXPECT_FLOAT_EQ(planes.values[2], 0.5F);
  EXPECT_FLOAT_EQ(planes.values[4], 32.7175F);
  raster.inverted = true;
  EXPECT_EQ(to_image(raster, 1, {}).pixels, (Levels{255, 255, 127, 0, 0}));
  raster.no_data = 1100;
  EXPECT_EQ(to_image(raster, 1, {}).pixels, (Levels{255, 255, 0, 0, 0}));
  raster.given.reset();
  raster.declared.reset();
  raster.inverted = false;
  EXPECT_EQ(to_image(raster, 1, {}).pixels, (Levels{0, 0, 0, 8, 255}));  // the high byte
  raster.given = {0, 65535};                                             // the same, said
  EXPECT_EQ(to_image(raster, 1, {}).pixels, (Levels{0, 0, 0, 8, 255}));
}

TEST(ValueRange, HoldsForEveryKindOfFile) {
  Image source = synthetic(24, 17, 3, 4);
  for (auto& sample : source.pixels) sample = static_cast<std::uint8_t>(20 + sample / 8);
  const DecodeOptions options{.value_range = ValueRange{20, 51}};
  for (const std::string name : {"png", "pnm", "jpeg"}) {
    SCOPED_TRACE(name);
    FileBytes bytes = name == "png" ? encode_png(source) : encode_jpeg(source, 95);
    if (name == "pnm") {
      const std::string head = "P6 24 17 255\n";
      bytes.assign(reinterpret_cast<const std::byte*>(head.data()),
                   reinterpret_cast<const std::byte*>(head.data() + head.size()));
      const auto* pixels = reinterpret_cast<const std::byte*>(source.pixels.data());
      bytes.insert(bytes.end(), pixels, pixels + source.pixels.size());
    }
    const Image stored = decode(bytes, 3), spread = decode(bytes, 3, options);
    const Planes wide = decode_wide(bytes, 3, options);
    ASSERT_EQ(stored.pixels.size(), spread.pixels.size());
    for (std::size_t i = 0; i < stored.pixels.size(); ++i) {
      const float unit = (static_cast<float>(stored.pixels[i]) - 20) / 31;
      ASSERT_NEAR(wide.plane(static_cast<int>(i % 3))[i / 3], unit, 1e-6F);
      ASSERT_NEAR(spread.pixels[i], std::clamp(unit, 0.0F, 1.0F) * 255, 0.501F);
    }
    const Image part = decode_region(bytes, {3, 2, 9, 8}, 3, options);
    for (int y = 0; y < 8; ++y)
      ASSERT_TRUE(std::equal(part.row(y), part.row(y) + 27, spread.row(y + 2) + 9));
    EXPECT_EQ(report_samples(read_raster(bytes, options)).range, (ValueRange{20, 51}));
  }
  for (const ValueRange range : {ValueRange{1, 1}, {2, 1}, {0, kNaN}, {0, kInfinity}})
    EXPECT_THROW(decode(encode_png(source), 3, {.value_range = range}), Error);
}

TEST(ValueRange, LeavesAlphaToTheFile) {
  Raster raster{.width = 2,
                .height = 1,
                .samples = 4,
                .is_rgb = true,
                .has_alpha = true,
                .values = std::vector<std::uint16_t>{4095, 0, 4095, 65535, 4095, 4095, 0, 0}};
  raster.given = {0, 4095};
  EXPECT_EQ(to_image(raster, 3, {{10, 20, 30}}).pixels, (Levels{255, 0, 255, 10, 20, 30}));
  EXPECT_EQ(to_image(raster, 4, {}).pixels, (Levels{255, 0, 255, 255, 255, 255, 0, 0}));
}

TEST(SampleReport, CountsWhatTheRangeLeaves) {
  std::vector<float> values(10000, 0.5F);
  values[0] = 2;
  values[1] = -1;
  values[2] = kNaN;
  values[3] = kInfinity;
  const SampleReport report = report_samples(row_of(values));
  EXPECT_EQ(report.samples, 10000);
  EXPECT_EQ(report.clipped, 2);
  EXPECT_EQ(report.no_data, 2);
  EXPECT_EQ(report.lowest, -1);
  EXPECT_EQ(report.highest, 2);
  EXPECT_EQ(report.low, 0.5);  // without the outermost
  EXPECT_EQ(report.high, 0.5);
  EXPECT_EQ(report.type, "float32");
  EXPECT_FALSE(report.range_given);
  Raster gray_alpha{.width = 2,
                    .height = 1,
                    .samples = 2,
                    .has_alpha = true,
                    .values = std::vector<std::uint8_t>{7, 255, 9, 0}};
  gray_alpha.no_data = 9;
  EXPECT_EQ(report_samples(gray_alpha).samples, 2);
  EXPECT_EQ(report_samples(gray_alpha).highest, 7);
  EXPECT_EQ(report_samples(row_of<float>({kNaN, kNaN})).no_data, 2);
  EXPECT_EQ(report_samples(row_of<float>({kNaN, kNaN})).highest, 0);
}

/** A file of 1 kB cannot claim the largest picture by leaving all but a tile of it out. */
TEST(ValueRange, TilesThatAreLeftOutAreNoWayToTakeMemory) {
  FileBytes bytes = bytes_of("sparse_u1.tif");
  const auto put = [&](std::uint16_t tag, std::uint32_t value) {
    const auto count = std::to_integer<std::size_t>(bytes.at(8));
    for (std::size_t entry = 10; entry < 10 + 12 * count; entry += 12) {
      std::uint16_t found = 0;
      std::memcpy(&found, bytes.data() + entry, 2);
      if (found != tag) continue;
      const std::uint16_t type = 4;
      const std::uint32_t one = 1;
      std::memcpy(bytes.data() + entry + 2, &type, 2);
      std::memcpy(bytes.data() + entry + 4, &one, 4);
      std::memcpy(bytes.data() + entry + 8, &value, 4);
    }
  };
  put(256, 12000);
  put(257, 12000);
  EXPECT_THROW(decode(bytes, 1), Error);
  put(322, 12000);  // one tile
  put(323, 12000);
  EXPECT_THROW(decode(bytes, 1), Error);
  put(324, 0);
  put(325, 0);
  EXPECT_THROW(decode(bytes, 1), Error);
}

}  // namespace
}  // namespace dino::image
