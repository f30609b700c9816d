// The float operations against the 8-bit ones, which equal Pillow's.
#include "dino/image/pixels/planes_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "dino/base/error.h"
#include "dino/image/pixels/blur.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/tap_blur.h"
#include "tests/image/synthetic.h"

namespace dino::image {
namespace {

/** The planes rounded to 8 bits differ from `image` by at most `levels`. Returns the mean
 * difference before rounding, in levels. */
double expect_near(const Planes& planes, const Image& image, float levels = 1) {
  double sum = 0;
  EXPECT_EQ(planes.width, image.width);
  EXPECT_EQ(planes.height, image.height);
  EXPECT_EQ(planes.channels, image.channels);
  for (int c = 0; c < image.channels; ++c)
    for (int y = 0; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x) {
        const float level = planes.row(c, y)[x] * 255;
        const auto expected = static_cast<float>(image.row(y)[x * image.channels + c]);
        EXPECT_LE(std::abs(std::round(level) - expected), levels) << x << ' ' << y << ' ' << c;
        sum += std::abs(level - expected);
      }
  return sum / static_cast<double>(image.pixels.size());
}

/** operate(image) and operate(planes) on images of one and three channels. */
template <typename Operate>
void check_both(Operate operate, float levels = 1, double mean = 1) {
  for (const int channels : {1, 3})
    for (const auto& [width, height] : {std::pair{61, 43}, {1, 9}, {9, 1}, {130, 70}}) {
      Image image = synthetic(width, height, channels, 7);
      Planes planes = to_planes(image);
      operate(image);
      operate(planes);
      EXPECT_LT(expect_near(planes, image, levels), mean);
    }
}

TEST(PlanesOps, ResizeAsOn8Bits) {
  for (const int channels : {1, 3}) {
    const Image image = synthetic(61, 43, channels, 5);
    const Planes planes = to_planes(image);
    const Box boxes[] = {{0, 0, 61, 43}, {3, 5, 40, 41}, {10.5F, 2.25F, 33, 30}, {3, 4, 23, 34}};
    for (const Filter filter :
         {Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos})
      for (const Box& box : boxes)
        for (const auto& [width, height] : {std::pair{20, 30}, {61, 7}, {80, 90}, {9, 43}})
          expect_near(resize_crop(planes, box, width, height, filter),
                      resize_crop(image, box, width, height, filter));
  }
}

TEST(PlanesOps, ColorsAsOn8Bits) {
  for (const double factor : {0.0, 0.6, 0.95, 1.0, 1.4, 2.5}) {
    check_both([=](auto& image) { adjust_brightness(image, factor); });
    check_both([=](auto& image) { adjust_contrast(image, factor); });
    check_both([=](auto& image) { adjust_saturation(image, factor); });
  }
  check_both([](auto& image) { to_grayscale(image); });
  check_both([](auto& image) { solarize(image); });
  check_both([](auto& image) { flip_horizontal(image); });
}

TEST(PlanesOps, BlurAsOn8Bits) {
  for (const double radius : {0.0, 0.1, 0.4, 1.0, 2.0, 7.5})
    check_both([=](auto& image) { gaussian_blur(image, radius); }, 3, 0.7);
}

TEST(PlanesOps, TapBlurAsOn8Bits) {
  for (const int channels : {1, 3})
    for (const auto& [width, height] : {std::pair{61, 43}, {5, 9}, {9, 5}, {130, 70}})
      for (const double sigma : {0.1, 0.5, 2.0}) {
        Image image = synthetic(width, height, channels, 7);
        Planes planes = to_planes(image);
        gaussian_blur_taps(image, sigma, 9);
        gaussian_blur_taps(planes, sigma, 9);
        expect_near(planes, image);
      }
}

TEST(PlanesOps, HueTurnsTheColorCircle) {
  const auto turned = [](std::array<float, 3> color, double turns) {
    Planes planes(1, 1, 3);
    std::ranges::copy(color, planes.values.begin());
    adjust_hue(planes, turns);
    return planes.values;
  };
  const auto expect = [](const std::vector<float>& values, std::array<float, 3> expected) {
    for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(values[c], expected[c], 1e-6F) << c;
  };
  expect(turned({1, 0, 0}, 1.0 / 3), {0, 1, 0});
  expect(turned({1, 0, 0}, -1.0 / 3), {0, 0, 1});
  expect(turned({0.75F, 0.25F, 0.25F}, 0.5), {0.25F, 0.75F, 0.75F});
  expect(turned({0.2F, 0.4F, 0.9F}, 0), {0.2F, 0.4F, 0.9F});
  expect(turned({0.3F, 0.3F, 0.3F}, 0.2), {0.3F, 0.3F, 0.3F});
  expect(turned({0.5F, 0.25F, 0}, 1.0 / 12), {0.5F, 0.5F, 0});  // orange (30 degrees) to yellow
}

/** Pillow's hue has 256 steps and its own rounding. */
TEST(PlanesOps, HueIsNearTheOneOn8Bits) {
  for (const double turns : {-0.5, -0.1, 0.03, 0.3}) {
    Image image = synthetic(40, 30, 3, 7);
    Planes planes = to_planes(image);
    adjust_hue(image, turns);
    adjust_hue(planes, turns);
    EXPECT_LT(expect_near(planes, image, 16), 2) << turns;
  }
}

TEST(PlanesOps, ColorsLeaveOtherBandsAlone) {
  for (const int channels : {1, 2, 5}) {
    Planes planes(6, 5, channels);
    for (std::size_t i = 0; i < planes.values.size(); ++i)
      planes.values[i] = static_cast<float>(i % 7) / 7;
    const Planes before = planes;
    adjust_saturation(planes, 0);
    adjust_hue(planes, 0.5);
    to_grayscale(planes);
    EXPECT_EQ(planes, before) << channels;
  }
}

TEST(PlanesOps, PicturesShowTheRangeOfTheSamples) {
  Planes planes(2, 1, 4);
  planes.values = {10, 20, 30, 40, 50, 60, 10, 20};
  const SampleRange range = sample_range(planes);
  EXPECT_EQ(range.low, 10);
  EXPECT_EQ(range.high, 60);
  const Image picture = to_picture(planes, range);
  EXPECT_EQ(picture.channels, 3);
  EXPECT_EQ(picture.pixels, (std::vector<std::uint8_t>{0, 102, 204, 51, 153, 255}));
  Planes flat(3, 2, 2);
  EXPECT_EQ(to_picture(flat, sample_range(flat)), Image(3, 2, 1));
}

TEST(PlanesOps, KeepRangesBeyondOne) {
  Planes planes(8, 8, 5);
  for (std::size_t i = 0; i < planes.values.size(); ++i)
    planes.values[i] = static_cast<float>(i) - 20;  // -20 .. 299
  const Planes grown = resize_crop(planes, {0, 0, 8, 8}, 16, 16);
  EXPECT_EQ(grown.channels, 5);
  EXPECT_FLOAT_EQ(*std::min_element(grown.values.begin(), grown.values.end()), -20);
  EXPECT_FLOAT_EQ(*std::max_element(grown.values.begin(), grown.values.end()), 299);
  adjust_brightness(planes, 1.5);
  EXPECT_FLOAT_EQ(planes.values[60], 60);
  EXPECT_FLOAT_EQ(planes.values.back(), 299);
}

TEST(PlanesOps, BandsKeepTheirOwnMeans) {
  Planes planes(4, 4, 2);
  for (int i = 0; i < 16; ++i) {
    planes.plane(0)[i] = 0.25F;
    planes.plane(1)[i] = 0.75F;
  }
  adjust_contrast(planes, 0.3);
  EXPECT_FLOAT_EQ(planes.plane(0)[7], 0.25F);
  EXPECT_FLOAT_EQ(planes.plane(1)[7], 0.75F);
}

TEST(PlanesOps, RefuseNonsense) {
  Planes planes(4, 4, 2);
  EXPECT_THROW(resize_crop(Planes{}, {0, 0, 1, 1}, 4, 4), Error);
  EXPECT_THROW(resize_crop(planes, {0, 0, 4, 5}, 4, 4), Error);
  EXPECT_THROW(resize_crop(planes, {0, 0, 4, 4}, 0, 4), Error);
  EXPECT_THROW(adjust_brightness(planes, -1), Error);
  EXPECT_THROW(adjust_contrast(planes, std::nan("")), Error);
  EXPECT_THROW(gaussian_blur(planes, -1), Error);
  EXPECT_THROW(gaussian_blur_taps(planes, 1, 4), Error);
  EXPECT_THROW(gaussian_blur_taps(planes, 1, 9), Error);
  EXPECT_THROW(adjust_saturation(planes, -1), Error);
  EXPECT_THROW(adjust_hue(planes, 0.6), Error);
}

TEST(PlanesOps, EightBitOperationsRefuseBands) {
  Image bands(4, 4, 5);
  EXPECT_THROW(gaussian_blur(bands, 1), Error);
  EXPECT_THROW(flip_horizontal(bands), Error);
  EXPECT_THROW(adjust_contrast(bands, 1), Error);
  EXPECT_THROW(resize(bands, 2, 2), Error);
  EXPECT_THROW(gray_copy(bands), Error);
}

}  // namespace
}  // namespace dino::image
