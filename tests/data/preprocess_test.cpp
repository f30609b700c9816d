// eval_crop.json comes from tests/golden/data/eval_crop.py: torchvision on PIL images.
#include "dino/data/preprocess.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "dino/base/error.h"

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

Preprocess grey(int size) {
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
  EXPECT_EQ(eval_crop(source, grey(28)), source);
  const auto other =
      eval_crop(picture(40, 30, 1), grey(28));  // short side 28 * 256 / 224 = 32, then crop
  EXPECT_EQ(other, eval_crop(picture(40, 30, 1), {.image_size = 28, .resize = 32, .channels = 1}));
}

TEST(EvalCrop, RefusesStripsThatWouldExplode) {
  try {
    eval_crop(image::Image(1, 60000, 1), grey(224));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Format);
  }
  EXPECT_THROW(eval_crop(image::Image(4, 4, 3), grey(4)), Error);
}

TEST(Shifted, MovesAndFillsWithBlack) {
  image::Image source(3, 2, 1);
  source.pixels = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(shifted(source, 1, 0, false).pixels, (std::vector<std::uint8_t>{0, 1, 2, 0, 4, 5}));
  EXPECT_EQ(shifted(source, -1, 1, false).pixels, (std::vector<std::uint8_t>{0, 0, 0, 2, 3, 0}));
  EXPECT_EQ(shifted(source, 0, 0, true).pixels, (std::vector<std::uint8_t>{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(shifted(source, 1, -1, true).pixels, (std::vector<std::uint8_t>{0, 6, 5, 0, 0, 0}));
  EXPECT_EQ(shifted(source, 5, 0, false).pixels, std::vector<std::uint8_t>(6, 0));
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

TEST(ValidatePreprocess, NamesTheBadField) {
  EXPECT_THROW(validate({.image_size = 0}), Error);
  EXPECT_THROW(validate({.image_size = 224, .resize = 100}), Error);
  EXPECT_THROW(validate({.channels = 1}), Error);  // three means for one channel
  EXPECT_THROW(validate({.channels = 1, .mean = {0.5}, .std = {0}}), Error);
  EXPECT_NO_THROW(validate({}));
}

}  // namespace
}  // namespace dino::data
