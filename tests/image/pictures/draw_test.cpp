#include "dino/image/pictures/draw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "dino/base/error.h"
#include "tests/image/synthetic.h"

namespace dino::image {
namespace {

TEST(Draw, PastesAndCutsAtEveryBorder) {
  const Image patch = filled(4, 4, 1, {200, 200, 200});
  for (const auto& [x, y, expected] : {std::tuple{1, 1, 16},
                                       {-2, 0, 8},
                                       {8, 8, 4},
                                       {0, -3, 4},
                                       {10, 0, 0},
                                       {-4, -4, 0},
                                       {-100, 3, 0}}) {
    Image target(10, 10, 1);
    paste(target, patch, x, y);
    EXPECT_EQ(std::count(target.pixels.begin(), target.pixels.end(), 200), expected)
        << x << " " << y;
  }
}

TEST(Draw, PastesAcrossChannelCounts) {
  Image target(2, 1, 3);
  paste(target, filled(1, 1, 1, {7, 7, 7}), 1, 0);
  EXPECT_EQ(target.pixels, (std::vector<std::uint8_t>{0, 0, 0, 7, 7, 7}));
  Image gray(1, 1, 1);
  paste(gray, filled(1, 1, 3, {255, 0, 0}), 0, 0);
  EXPECT_EQ(gray.pixels[0], 76);
}

TEST(Draw, EnlargesPixelsToBlocks) {
  const Image image = synthetic(3, 2, 3, 1);
  const Image large = enlarge(image, 4);
  ASSERT_EQ(large.width, 12);
  ASSERT_EQ(large.height, 8);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 36; ++x) ASSERT_EQ(large.row(y)[x], image.row(y / 4)[x / 12 * 3 + x % 3]);
  EXPECT_THROW(enlarge(image, 0), Error);
}

TEST(Draw, LaysOutAGrid) {
  const std::vector<Image> images = {filled(4, 4, 3, {1, 1, 1}), filled(2, 2, 1, {2, 2, 2}),
                                     filled(4, 4, 3, {3, 3, 3})};
  const Image sheet = grid(images, {.columns = 2, .gap = 1, .background = {9, 9, 9}});
  EXPECT_EQ(sheet.width, 11);
  EXPECT_EQ(sheet.height, 11);
  EXPECT_EQ(sheet.row(0)[0], 9);
  EXPECT_EQ(sheet.row(1)[3], 1);
  EXPECT_EQ(sheet.row(1)[6 * 3], 9);  // the small image is centered in its cell
  EXPECT_EQ(sheet.row(2)[7 * 3], 2);
  EXPECT_EQ(sheet.row(6)[3], 3);
  EXPECT_EQ(sheet.row(6)[6 * 3], 9);  // the last cell is empty
  EXPECT_EQ(grid(images, {.columns = 100, .gap = 0}).width, 12);
  EXPECT_THROW(grid({}), Error);
  EXPECT_THROW(grid(images, {.columns = 0}), Error);
}

TEST(Draw, ColorMapsFollowMatplotlib) {
  // Entries 50, 100, 200 of matplotlib's 256-color tables (viridis, turbo).
  const auto near = [](Color a, Color b) {
    return std::abs(a.red - b.red) <= 7 && std::abs(a.green - b.green) <= 7 &&
           std::abs(a.blue - b.blue) <= 7;
  };
  EXPECT_TRUE(near(map_color(ColorMap::Viridis, 50 / 255.0f), {65, 66, 135}));
  EXPECT_TRUE(near(map_color(ColorMap::Viridis, 100 / 255.0f), {42, 118, 142}));
  EXPECT_TRUE(near(map_color(ColorMap::Viridis, 200 / 255.0f), {112, 207, 87}));
  EXPECT_TRUE(near(map_color(ColorMap::Turbo, 50 / 255.0f), {64, 153, 255}));
  EXPECT_TRUE(near(map_color(ColorMap::Turbo, 100 / 255.0f), {63, 246, 138}));
  EXPECT_TRUE(near(map_color(ColorMap::Turbo, 200 / 255.0f), {244, 102, 23}));
  EXPECT_EQ(map_color(ColorMap::Viridis, 7.0f).red, 253);
  EXPECT_EQ(map_color(ColorMap::Viridis, -7.0f).red, 68);
}

TEST(Draw, HeatMapSpansItsValuesAndSurvivesOddOnes) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {-2, 3, std::nanf(""), inf};
  const Image map = heat_map(values, 2, 2);
  EXPECT_EQ(map.row(0)[0], 68);
  EXPECT_EQ(map.row(0)[3], 253);
  EXPECT_EQ(map.row(1)[0], 68);
  EXPECT_EQ(map.row(1)[3], 253);
  EXPECT_EQ(heat_map(std::vector<float>{5, 5}, 2, 1).row(0)[3], 68);
  EXPECT_EQ(heat_map(std::vector<float>{inf}, 1, 1).width, 1);
  EXPECT_THROW(heat_map(values, 3, 2), Error);
}

}  // namespace
}  // namespace dino::image
