#include "dino/image/pixels/tap_blur.h"

#include <gtest/gtest.h>

#include <cmath>

#include "dino/base/error.h"
#include "tests/image/synthetic.h"

namespace dino::image {
namespace {

/** The definition, in doubles: pixels against tests/golden/data/crop_pipelines.json are compared in
 * multi_crop's tests. */
Image by_definition(const Image& source, double sigma, int taps) {
  const int reach = taps / 2;
  std::vector<double> kernel;
  double total = 0;
  for (int i = -reach; i <= reach; ++i) {
    kernel.push_back(std::exp(-0.5 * i * i / (sigma * sigma)));
    total += kernel.back();
  }
  const auto inside = [](int i, int size) { return i < 0 ? -i : i < size ? i : 2 * size - 2 - i; };
  Image out(source.width, source.height, source.channels);
  for (int y = 0; y < source.height; ++y)
    for (int x = 0; x < source.width; ++x)
      for (int c = 0; c < source.channels; ++c) {
        double sum = 0;
        for (int j = -reach; j <= reach; ++j)
          for (int i = -reach; i <= reach; ++i)
            sum += kernel[static_cast<std::size_t>(reach + i)] *
                   kernel[static_cast<std::size_t>(reach + j)] *
                   source.row(inside(
                       y + j, source.height))[inside(x + i, source.width) * source.channels + c];
        out.row(y)[x * source.channels + c] =
            static_cast<std::uint8_t>(std::lround(sum / (total * total)));
      }
  return out;
}

TEST(TapBlur, IsAConvolutionMirroredAtTheBorder) {
  for (const int channels : {1, 3})
    for (const auto& [width, height, taps] : {std::tuple{5, 5, 9},
                                              {6, 40, 9},
                                              {33, 7, 9},
                                              {50, 31, 9},
                                              {24, 24, 1},
                                              {9, 8, 3},
                                              {20, 19, 15}})
      for (const double sigma : {0.1, 0.5, 1.3, 2.0, 8.0}) {
        SCOPED_TRACE(
            fmt::format("{} x {} x {}, {} taps, sigma {}", width, height, channels, taps, sigma));
        const Image source = synthetic(width, height, channels, 3);
        Image blurred = source;
        gaussian_blur_taps(blurred, sigma, taps);
        const Image expected = by_definition(source, sigma, taps);
        for (std::size_t i = 0; i < expected.pixels.size(); ++i)
          ASSERT_NEAR(blurred.pixels[i], expected.pixels[i], 1) << i;
        std::size_t different = 0;
        for (std::size_t i = 0; i < expected.pixels.size(); ++i)
          different += blurred.pixels[i] != expected.pixels[i];
        EXPECT_LE(different, expected.pixels.size() / 100) << "only where a sum falls on a half";
      }
}

TEST(TapBlur, LeavesFlatImagesAndTinyDeviationsAlone) {
  Image flat(12, 9, 3);
  for (auto& sample : flat.pixels) sample = 255;
  Image blurred = flat;
  gaussian_blur_taps(blurred, 2, 9);
  EXPECT_EQ(blurred, flat);
  const Image source = synthetic(20, 20, 3, 1);
  blurred = source;
  gaussian_blur_taps(blurred, 0.1, 9);
  EXPECT_EQ(blurred, source);
}

TEST(TapBlur, RefusesWhatHasNoMeaning) {
  Image image(5, 5, 1);
  EXPECT_THROW(gaussian_blur_taps(image, 1, 4), Error);
  EXPECT_THROW(gaussian_blur_taps(image, 1, -1), Error);
  EXPECT_THROW(gaussian_blur_taps(image, 0, 9), Error);
  EXPECT_THROW(gaussian_blur_taps(image, NAN, 9), Error);
  EXPECT_THROW(gaussian_blur_taps(image, 1, 11), Error);
  EXPECT_NO_THROW(gaussian_blur_taps(image, 1, 9));
  Image empty;
  EXPECT_THROW(gaussian_blur_taps(empty, 1, 9), Error);
}

}  // namespace
}  // namespace dino::image
