#include "dino/data/scenes/cutout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/data/scenes/pictures.h"

namespace dino::data {
namespace {

using testing::raster_of;
using testing::rectangle;

Cutout cut(const image::Image& rgba, int most_px = 1000) {
  NoCutout why{};
  auto cutout = cut_out(raster_of(rgba), most_px, why);
  EXPECT_TRUE(cutout.has_value());
  return cutout.value_or(Cutout());
}

std::int64_t solid_pixels(const Layer& layer) {
  std::int64_t count = 0;
  for (int y = 0; y < layer.planes.height; ++y)
    for (int x = 0; x < layer.planes.width; ++x) count += layer.is_solid(x, y) ? 1 : 0;
  return count;
}

TEST(Cutout, IsTrimmedAndPremultiplied) {
  const Cutout cutout = cut(rectangle(32, 5, 7, 12, 9, {200, 100, 50, 128}));
  EXPECT_EQ(cutout.width, 12);
  EXPECT_EQ(cutout.height, 9);
  for (std::size_t i = 0; i < cutout.pixels.size(); i += 4) {
    EXPECT_EQ(cutout.pixels[i], 100);  // 200 * 128 / 255
    EXPECT_EQ(cutout.pixels[i + 1], 50);
    EXPECT_EQ(cutout.pixels[i + 2], 25);
    EXPECT_EQ(cutout.pixels[i + 3], 128);
  }
}

TEST(Cutout, OfGrayHasEqualColors) {
  image::Raster raster{.width = 10, .height = 10, .samples = 2, .has_alpha = true, .values = {}};
  std::vector<std::uint8_t> values(200, 0);
  for (std::size_t i = 0; i < 180; i += 2) values[i] = 77, values[i + 1] = 255;
  raster.values = values;
  NoCutout why{};
  const auto cutout = cut_out(raster, 100, why);
  ASSERT_TRUE(cutout.has_value());
  EXPECT_EQ(cutout->height, 9);
  EXPECT_EQ(cutout->pixels[0], 77);
  EXPECT_EQ(cutout->pixels[2], 77);
  EXPECT_EQ(cutout->pixels[3], 255);
}

TEST(Cutout, SaysWhatIsNone) {
  NoCutout why{};
  const auto refused = [&](const image::Raster& raster) {
    return !cut_out(raster, 100, why).has_value();
  };
  EXPECT_TRUE(refused(raster_of(rectangle(16, 0, 0, 16, 16, {1, 2, 3, 255}))));
  EXPECT_EQ(why, NoCutout::Opaque);
  image::Raster plain{.width = 16, .height = 16, .samples = 3, .is_rgb = true, .values = {}};
  plain.values = std::vector<std::uint8_t>(16 * 16 * 3);
  EXPECT_TRUE(refused(plain));
  EXPECT_EQ(why, NoCutout::Opaque);
  EXPECT_TRUE(refused(raster_of(rectangle(16, 0, 0, 7, 9, {1, 2, 3, 255}))));
  EXPECT_EQ(why, NoCutout::Small);
  EXPECT_TRUE(refused(raster_of(rectangle(16, 0, 0, 12, 12, {1, 2, 3, 127}))));
  EXPECT_EQ(why, NoCutout::Small);
  EXPECT_FALSE(refused(raster_of(rectangle(16, 0, 0, 8, 8, {1, 2, 3, 128}))));
}

TEST(Cutout, IsShrunkToTheLargestSide) {
  const Cutout cutout = cut(rectangle(64, 2, 2, 60, 30, {200, 100, 50, 255}), 20);
  EXPECT_EQ(cutout.width, 20);
  EXPECT_EQ(cutout.height, 10);
  EXPECT_EQ(cutout.pixels[0], 200);
  EXPECT_EQ(cutout.pixels[3], 255);
}

TEST(Pose, WithoutChangeIsExact) {
  image::Image picture(20, 20, 4);
  for (std::size_t i = 0; i < picture.pixels.size(); ++i)
    picture.pixels[i] = static_cast<std::uint8_t>(i % 4 == 3 ? 255 : i * 7 % 256);
  picture.row(3)[4 * 5 + 3] = 0;  // a hole, so that it is not opaque
  const Cutout cutout = cut(picture);
  ASSERT_EQ(cutout.width, 20);
  const Layer layer = pose(cutout, {.center_x = 16, .center_y = 13, .side_px = 20}, 64);
  EXPECT_EQ(layer.left, 6);
  EXPECT_EQ(layer.top, 3);
  EXPECT_EQ(layer.planes, image::to_planes(cutout));
  EXPECT_FALSE(layer.is_solid(5, 3));
  EXPECT_EQ(solid_pixels(layer), 399);
}

TEST(Pose, OfAQuarterTurnIsTheTurnedPicture) {
  const Cutout cutout = cut(rectangle(40, 0, 0, 20, 10, {255, 0, 0, 255}));
  const Layer layer =
      pose(cutout, {.center_x = 30, .center_y = 30, .side_px = 20, .degrees = 90}, 64);
  EXPECT_EQ(solid_pixels(layer), 200);
  for (int y = 0; y < layer.planes.height; ++y)
    for (int x = 0; x < layer.planes.width; ++x) {
      const int right = layer.left + x, down = layer.top + y;
      EXPECT_EQ(layer.is_solid(x, y), right >= 25 && right < 35 && down >= 20 && down < 40);
    }
}

TEST(Pose, TurnsClockwiseAfterMirroring) {
  image::Image picture = rectangle(20, 0, 0, 20, 20, {10, 10, 10, 255});
  for (int x = 0; x < 10; ++x) picture.row(0)[4 * x] = 250;  // the top edge's left half is red
  picture.row(10)[4 * 10 + 3] = 0;
  const Cutout cutout = cut(picture);
  Pose where{.center_x = 10, .center_y = 10, .side_px = 20, .degrees = 90};
  EXPECT_GT(pose(cutout, where, 20).planes.row(0, 2)[19], 0.9F);  // top -> right, left -> top
  where.mirrored = true;
  EXPECT_GT(pose(cutout, where, 20).planes.row(0, 17)[19], 0.9F);
}

/** The area of a turned and scaled rectangle is that of geometry. */
TEST(Pose, KeepsAreas) {
  const Cutout cutout = cut(rectangle(64, 0, 0, 60, 30, {255, 0, 0, 255}));
  for (const double degrees : {0.0, 13.0, 30.0, 45.0, 170.0})
    for (const double side : {20.0, 60.0, 90.0}) {
      const Layer layer = pose(
          cutout, {.center_x = 64.3, .center_y = 63.8, .side_px = side, .degrees = degrees}, 128);
      const double area = side * std::round(side / 2);
      EXPECT_NEAR(static_cast<double>(solid_pixels(layer)), area, 0.06 * area + 4)
          << degrees << " " << side;
    }
}

TEST(Pose, IsCutOffAtTheScene) {
  const Cutout cutout = cut(rectangle(64, 0, 0, 20, 20, {255, 0, 0, 255}));
  const Layer corner = pose(cutout, {.center_x = 0, .center_y = 30, .side_px = 20}, 32);
  EXPECT_EQ(corner.left, 0);
  EXPECT_EQ(solid_pixels(corner), 10 * 12);
  const Layer outside = pose(cutout, {.center_x = -50, .center_y = 30, .side_px = 20}, 32);
  EXPECT_EQ(solid_pixels(outside), 0);
}

}  // namespace
}  // namespace dino::data
