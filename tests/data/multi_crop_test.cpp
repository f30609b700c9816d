#include "dino/data/multi_crop.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "dino/base/error.h"

namespace dino::data {
namespace {

/** The formula of tests/golden/data/crop_pixels.py. */
image::Image source(int channels) {
  image::Image image(40, 30, channels);
  for (int y = 0; y < 30; ++y)
    for (int x = 0; x < 40; ++x)
      for (int c = 0; c < channels; ++c)
        image.row(y)[x * channels + c] =
            static_cast<std::uint8_t>((x * 7 + y * 13 + c * 50 + x * y * (c + 1)) % 256);
  return image;
}

MultiCropOptions small() {
  MultiCropOptions options;
  options.global_size = 16;
  options.local_size = 8;
  return options;
}

TEST(MultiCrop, PixelsEqualTorchvisionOnPillow) {
  std::ifstream file(DINO_SOURCE_DIR "/tests/golden/data/crop_pixels.json");
  const auto cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 24u);
  for (const auto& c : cases) {
    SCOPED_TRACE(c.dump().substr(0, 400));
    const CropRecord record{.size = c["size"],
                            .left = c["left"],
                            .top = c["top"],
                            .width = c["width"],
                            .height = c["height"],
                            .flipped = c["flipped"],
                            .jittered = c["jittered"],
                            .grayscaled = c["grayscaled"],
                            .blurred = c["blurred"],
                            .solarized = c["solarized"],
                            .order = c["order"],
                            .brightness = c["brightness"],
                            .contrast = c["contrast"],
                            .saturation = c["saturation"],
                            .hue = c["hue"],
                            .blur_radius = c["blur_radius"]};
    const image::Image view = apply_crop(source(c["channels"]), record);
    std::string hex;
    for (const auto sample : view.pixels) hex += fmt::format("{:02x}", sample);
    EXPECT_EQ(hex, c["pixels"].get<std::string>());
  }
}

/** Appendix B 11 of the method: each frequency within three standard errors over 10,000 draws per
 * kind of view. */
TEST(MultiCrop, FrequenciesAreTheRecipes) {
  const MultiCropOptions options;
  constexpr int kDraws = 10'000;
  for (const int view : {0, 1, 2, 9}) {
    SCOPED_TRACE(view);
    double flipped = 0, jittered = 0, grayscaled = 0, blurred = 0, solarized = 0;
    for (int i = 0; i < kDraws; ++i) {
      const CropRecord record =
          draw_crop(100, 80, view, options,
                    Rng(0, 0, static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(view)));
      EXPECT_EQ(record.size, view < 2 ? 224 : 96);
      flipped += record.flipped, jittered += record.jittered, grayscaled += record.grayscaled;
      blurred += record.blurred, solarized += record.solarized;
    }
    const auto expect_share = [&](double count, double p) {
      EXPECT_NEAR(count / kDraws, p, 3 * std::sqrt(p * (1 - p) / kDraws));
    };
    const std::size_t kind = static_cast<std::size_t>(std::min(view, 2));
    expect_share(flipped, 0.5);
    expect_share(jittered, 0.8);
    expect_share(grayscaled, 0.2);
    expect_share(blurred, std::array{1.0, 0.1, 0.5}[kind]);
    expect_share(solarized, std::array{0.0, 0.2, 0.0}[kind]);
  }
}

TEST(MultiCrop, StrengthsFillTheirRangesEvenly) {
  const MultiCropOptions options;
  double sums[5] = {}, firsts[4] = {};
  int jittered = 0, blurred = 0;
  for (int i = 0; i < 10'000; ++i) {
    const CropRecord r = draw_crop(100, 80, 0, options, Rng(1, 0, static_cast<std::uint64_t>(i)));
    if (r.blurred) ++blurred, sums[4] += r.blur_radius;
    if (!r.jittered) continue;
    ++jittered;
    EXPECT_TRUE(r.brightness >= 0.6 && r.brightness <= 1.4 && r.saturation >= 0.8 &&
                r.saturation <= 1.2);
    EXPECT_TRUE(std::abs(r.hue) <= 0.1 && r.blur_radius >= 0.1 && r.blur_radius <= 2);
    sums[0] += r.brightness, sums[1] += r.contrast, sums[2] += r.saturation, sums[3] += r.hue;
    ++firsts[r.order[0]];
  }
  const auto expect_mean = [](double sum, int count, double low, double high) {
    EXPECT_NEAR(sum / count, (low + high) / 2, 3 * (high - low) / std::sqrt(12.0 * count));
  };
  expect_mean(sums[0], jittered, 0.6, 1.4);
  expect_mean(sums[1], jittered, 0.6, 1.4);
  expect_mean(sums[2], jittered, 0.8, 1.2);
  expect_mean(sums[3], jittered, -0.1, 0.1);
  expect_mean(sums[4], blurred, 0.1, 2.0);
  for (const double count : firsts)
    EXPECT_NEAR(count / jittered, 0.25, 3 * std::sqrt(0.25 * 0.75 / jittered));
}

TEST(MultiCrop, LargeStrengthsStopAtZero) {
  MultiCropOptions options = small();
  options.brightness = 3;
  options.jitter = 1;
  for (int i = 0; i < 1000; ++i) {
    const auto record = draw_crop(40, 30, 0, options, Rng(0, 0, static_cast<std::uint64_t>(i)));
    EXPECT_GE(record.brightness, 0);
    EXPECT_LE(record.brightness, 4);
  }
}

TEST(MultiCrop, EqualStreamsGiveEqualViewsAndViewsDiffer) {
  const image::Image image = source(3);
  const auto make = [&](int view, std::uint64_t epoch) {
    return crop_view(image, view, small(), Rng(0, epoch, 5, static_cast<std::uint64_t>(view)));
  };
  EXPECT_EQ(make(0, 0), make(0, 0));
  EXPECT_NE(make(0, 0), make(1, 0));
  EXPECT_NE(make(0, 0), make(0, 1));
  EXPECT_NE(make(2, 0), make(3, 0));
  EXPECT_EQ(make(2, 0).width, 8);
  CropRecord record;
  crop_view(image, 0, small(), Rng(0, 0, 5), &record);
  EXPECT_EQ(record.left, draw_crop(40, 30, 0, small(), Rng(0, 0, 5)).left);
}

TEST(MultiCrop, PaddingIsBlackAndWidensTheImage) {
  image::Image white(4, 4, 3);
  for (auto& sample : white.pixels) sample = 255;
  const image::Image view =
      apply_crop(white, {.size = 8, .left = -2, .top = -3, .width = 8, .height = 8});
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) {
      const bool inside = x >= 2 && x < 6 && y >= 3 && y < 7;
      for (int c = 0; c < 3; ++c)
        EXPECT_EQ(view.row(y)[x * 3 + c], inside ? 255 : 0) << x << ' ' << y;
    }
  const image::Image outside =
      apply_crop(white, {.size = 4, .left = 6, .top = 6, .width = 4, .height = 4});
  EXPECT_EQ(outside, image::Image(4, 4, 3));

  MultiCropOptions options = small();
  options.pad = 3;
  options.global_scale = {1, 1};
  bool padded = false;
  for (int i = 0; i < 200; ++i) {
    const auto record = draw_crop(12, 12, 0, options, Rng(0, 0, static_cast<std::uint64_t>(i)));
    EXPECT_TRUE(record.left >= -3 && record.left + record.width <= 15);
    padded |= record.left < 0;
  }
  EXPECT_TRUE(padded);
}

TEST(MultiCrop, TinyAndExtremeImagesWork) {
  for (const int channels : {1, 3}) {
    for (const auto& [width, height] : {std::pair{1, 1}, {1, 500}, {500, 1}, {2, 3}}) {
      image::Image image(width, height, channels);
      for (int view = 0; view < 4; ++view) {
        const image::Image out =
            crop_view(image, view, small(), Rng(0, 0, 0, static_cast<std::uint64_t>(view)));
        EXPECT_EQ(out.width, view < 2 ? 16 : 8);
        EXPECT_EQ(out.channels, channels);
      }
    }
  }
}

TEST(MultiCrop, NormalizeSplitsChannels) {
  image::Image image(2, 1, 3);
  image.pixels = {0, 51, 255, 102, 204, 153};
  const MultiCropOptions options;
  float out[6];
  normalize(image, options, out);
  const double expected[6] = {0.0, 0.4, 0.2, 0.8, 1.0, 0.6};  // [C, H, W]
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_FLOAT_EQ(out[i],
                    static_cast<float>((expected[i] - options.mean[i / 2]) / options.std[i / 2]));
}

TEST(MultiCrop, ValidateNamesTheKey) {
  const auto refusal = [](auto change, int channels = 3) -> std::string {
    MultiCropOptions options;
    change(options);
    try {
      validate(options, channels);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal([](auto&) {}), "");
  EXPECT_NE(refusal([](auto& o) { o.blur[2] = 1.1; }).find("crops.blur = 1.1"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) {
              o.global_scale = {0.9, 0.4};
            }).find("crops.global_scale"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) {
              o.blur_radius = {2, 1};
            }).find("crops.blur_radius"),
            std::string::npos);
  EXPECT_NE(refusal([](auto&) {}, 1).find("data.channels = 1"), std::string::npos);
}

}  // namespace
}  // namespace dino::data
