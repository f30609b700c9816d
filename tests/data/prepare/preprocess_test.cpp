// eval_crop.json and prepare.* come from the scripts of those names in tests/golden/data:
// torchvision on PIL images and on tensors.
#include "dino/data/prepare/preprocess.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "dino/base/error.h"
#include "dino/format/safetensors.h"

namespace dino::data {
namespace {

/** Pixels by integer arithmetic, the same as in tests/golden/data/eval_crop.py. */
image::Image picture(int width, int height, int channels) {
  image::Image image(width, height, channels);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c)
        image.row(y)[x * channels + c] =
            static_cast<std::uint8_t>((x * x * 3 + y * 7 + x * y * 5 + c * 85) % 256);
  return image;
}

Preprocess gray(int size) {
  return {.image_size = size, .channels = 1, .mean = {0.5}, .std = {0.5}};
}

TEST(EvalCrop, EqualsTorchvision) {
  const auto cases =
      nlohmann::json::parse(std::ifstream(DINO_SOURCE_DIR "/tests/golden/data/eval_crop.json"));
  ASSERT_FALSE(cases.empty());
  for (const auto& c : cases) {
    const auto source = picture(c.at("width"), c.at("height"), c.at("channels"));
    const auto square = eval_crop(
        source,
        {.image_size = c.at("crop"), .resize = c.at("resize"), .channels = c.at("channels")});
    EXPECT_EQ(crc32(0, square.pixels.data(), static_cast<uInt>(square.pixels.size())),
              c.at("crc32"))
        << c;
  }
}

TEST(EvalCrop, WithoutResizeLeavesFittingImagesAlone) {
  const auto source = picture(28, 28, 1);
  EXPECT_EQ(eval_crop(source, gray(28)), source);
  const auto other =
      eval_crop(picture(40, 30, 1), gray(28));  // short side 28 * 256 / 224 = 32, then crop
  EXPECT_EQ(other, eval_crop(picture(40, 30, 1), {.image_size = 28, .resize = 32, .channels = 1}));
}

TEST(EvalCrop, RefusesStripsThatWouldExplode) {
  try {
    eval_crop(image::Image(1, 60000, 1), gray(224));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Format);
  }
  EXPECT_THROW(eval_crop(image::Image(4, 4, 3), gray(4)), Error);
}

TEST(Shifted, MovesAndFillsWithTheBorder) {
  image::Image source(3, 2, 1);
  source.pixels = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(shifted(source, 1, 0, false).pixels, (std::vector<std::uint8_t>{1, 1, 2, 4, 4, 5}));
  EXPECT_EQ(shifted(source, -1, 1, false).pixels, (std::vector<std::uint8_t>{2, 3, 3, 2, 3, 3}));
  EXPECT_EQ(shifted(source, 0, 0, true).pixels, (std::vector<std::uint8_t>{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(shifted(source, 1, -1, true).pixels, (std::vector<std::uint8_t>{6, 6, 5, 6, 6, 5}));
  EXPECT_EQ(shifted(source, 5, 0, false).pixels, (std::vector<std::uint8_t>{1, 1, 1, 4, 4, 4}));
}

TEST(Augmented, DependsOnSeedAndIndexAlone) {
  const auto source = picture(28, 28, 1);
  const Augment augment{.shift_px = 3, .mirror = true, .seed = 7};
  std::set<uLong> seen;
  for (std::int64_t i = 0; i < 400; ++i) {
    const auto once = augmented(source, augment, i);
    EXPECT_EQ(once, augmented(source, augment, i));
    seen.insert(crc32(0, once.pixels.data(), static_cast<uInt>(once.pixels.size())));
  }
  EXPECT_GT(seen.size(), 80U);  // of 7 * 7 * 2 = 98 possible ones
  EXPECT_LE(seen.size(), 98U);
}

// ---- prepare ----

const nlohmann::json& prepare_cases() {
  static const auto cases =
      nlohmann::json::parse(std::ifstream(DINO_SOURCE_DIR "/tests/golden/data/prepare.json"));
  return cases;
}

template <typename Words>
auto value_of(const Words& words, const std::string& word) {
  for (const auto& [value, name] : words)
    if (name == word) return value;
  throw std::out_of_range(word);
}

Preprocess preprocess_of(const nlohmann::json& c) {
  Preprocess p{.image_size = c.at("image_size"), .resize = c.value("resize", 0)};
  p.fit = value_of(kFitWords, c.at("fit"));
  const std::string filter = c.at("filter");
  p.filter = filter == "bilinear"  ? image::Filter::Bilinear
             : filter == "lanczos" ? image::Filter::Lanczos
                                   : image::Filter::Bicubic;
  return p;
}

double largest_difference(const std::vector<float>& values, const format::TensorRecord* golden) {
  EXPECT_EQ(golden->bytes.size(), values.size() * sizeof(float));
  std::vector<float> expected(values.size());
  std::memcpy(expected.data(), golden->bytes.data(), golden->bytes.size());
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(values[i]) - expected[i]));
  return largest;
}

TEST(Prepare, EightBitFitsEqualPillow) {
  for (const auto& c : prepare_cases().at("bytes")) {
    SCOPED_TRACE(c.dump());
    const auto source = picture(c.at("width"), c.at("height"), 3);
    const auto p = preprocess_of(c);
    const auto fitted = eval_crop(source, p);
    ASSERT_EQ(fitted.width, c.at("out")[0]);
    ASSERT_EQ(fitted.height, c.at("out")[1]);
    EXPECT_EQ(crc32(0, fitted.pixels.data(), static_cast<uInt>(fitted.pixels.size())),
              c.at("crc32"));
    // What is fed is that picture, normalized; padding is 0, which is not black.
    const auto prepared = prepare(source, p, 1);
    const std::size_t plane = fitted.pixels.size() / 3;
    ASSERT_EQ(prepared.pixels.size(), fitted.pixels.size());
    for (std::size_t i = 0; i < plane; ++i) {
      const double value = prepared.pixels[plane + i];
      if (p.fit == Fit::Pad && value == 0) continue;
      ASSERT_NEAR(value, (fitted.pixels[3 * i + 1] / 255.0 - 0.456) / 0.224, 1e-6);
    }
  }
}

TEST(Prepare, FloatFitsEqualTorchvision) {
  const format::SafetensorsFile golden(
      std::filesystem::path(DINO_SOURCE_DIR "/tests/golden/data/prepare.safetensors"));
  for (const auto& c : prepare_cases().at("floats")) {
    SCOPED_TRACE(c.dump());
    auto p = preprocess_of(c);
    p.resize_floats = true;
    const auto prepared = prepare(picture(c.at("width"), c.at("height"), 3), p, 1);
    EXPECT_LT(largest_difference(prepared.pixels, golden.find(c.at("tensor").get<std::string>())),
              1e-5);
  }
}

TEST(Prepare, IsDinosTransform) {
  const format::SafetensorsFile golden(
      std::filesystem::path(DINO_SOURCE_DIR "/tests/golden/data/prepare.safetensors"));
  const auto prepared = prepare(picture(50, 37, 3), {.image_size = 24, .resize = 27}, 8);
  EXPECT_LT(largest_difference(prepared.pixels, golden.find("dino")), 1e-6);
  const auto padded =
      prepare(picture(24, 17, 3), {.fit = Fit::Native, .remainder = Remainder::Pad}, 7);
  EXPECT_LT(largest_difference(padded.pixels, golden.find("padded")), 1e-6);
}

TEST(Prepare, RefusesOtherChannelsAndBadPatches) {
  EXPECT_THROW(prepare(picture(8, 8, 1), {.image_size = 8}, 4), Error);
  EXPECT_THROW(prepare(picture(8, 8, 3), {.image_size = 8}, 0), Error);
  EXPECT_THROW(prepare(image::Image(0, 0, 3), {.image_size = 8}, 4), Error);
}

TEST(AugmentPrepared, EqualsMovingThePicture) {
  const auto source = picture(12, 10, 3);
  const Preprocess p{.fit = Fit::Native};
  const Augment augment{.shift_px = 3, .mirror = true, .seed = 7};
  for (std::int64_t i = 0; i < 20; ++i) {
    auto prepared = prepare(source, p, 2);
    augment_prepared(prepared, p, augment, i);
    EXPECT_EQ(prepared.pixels, prepare(augmented(source, augment, i), p, 2).pixels);
  }
}

TEST(ValidatePreprocess, NamesTheBadField) {
  EXPECT_THROW(validate({.image_size = 0}), Error);
  EXPECT_THROW(validate({.image_size = 224, .resize = 100}), Error);
  EXPECT_THROW(validate({.channels = 1}), Error);  // three means for one channel
  EXPECT_THROW(validate({.channels = 1, .mean = {0.5}, .std = {0}}), Error);
  EXPECT_THROW(validate({.resize = 256, .fit = Fit::Stretch}), Error);
  EXPECT_NO_THROW(validate({}));
}

}  // namespace
}  // namespace dino::data
