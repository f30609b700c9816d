#include "dino/image/pictures/sheet.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"
#include "dino/image/pictures/draw.h"

namespace dino::image {
namespace {

TEST(Sheet, EnlargesByWholeFactorsAndKeepsRows) {
  Sheet sheet{.title = "t", .columns = 2};
  for (int i = 0; i < 4; ++i)
    sheet.tiles.push_back({.image = filled(28, 28, 1, {static_cast<std::uint8_t>(60 * i), 0, 0})});
  const Image picture = render(sheet, 112);
  EXPECT_EQ(picture.channels, 3);
  EXPECT_EQ(picture.width, 2 * 112 + 3 * 4);
  EXPECT_EQ(picture.width, picture.height);
}

TEST(Sheet, MapsAreAsLargeAsThePictureBesideThem) {
  Sheet sheet{.title = "t", .columns = 2};
  sheet.tiles = {{.image = filled(224, 224, 3, {})}, {.image = filled(16, 16, 3, {})}};
  const Image picture = render(sheet, 112);
  EXPECT_EQ(picture.width, 2 * 224 + 3 * 4);
  EXPECT_EQ(picture.height, 224 + 2 * 4);
}

TEST(Sheet, FramesSayWhatIsRight) {
  Sheet sheet{.columns = 3};
  const Image black = filled(10, 10, 3, {});
  sheet.tiles = {{.image = black, .mark = Mark::Good}, {.image = black, .mark = Mark::Bad}, {}};
  const Image picture = render(sheet, 10);
  int green = 0, red = 0;
  for (std::size_t i = 0; i < picture.pixels.size(); i += 3) {
    green += picture.pixels[i + 1] > picture.pixels[i] + 60 ? 1 : 0;
    red += picture.pixels[i] > picture.pixels[i + 1] + 60 ? 1 : 0;
  }
  EXPECT_EQ(green, 16 * 16 - 10 * 10);
  EXPECT_EQ(red, green);
}

TEST(Sheet, WordsStandAboveAndBelowTheTiles) {
  Sheet sheet{.columns = 2};
  const Image white = filled(60, 60, 3, {255, 255, 255});
  sheet.tiles = {{.image = white, .caption = "one two three"}, {.image = white}};
  EXPECT_EQ(render(sheet, 60).height, 60 + 2 * 4 + 2 * 10) << "two lines of ten characters";
  sheet.column_titles = {"left", "right"};
  const Image picture = render(sheet, 60);
  EXPECT_EQ(picture.height, 60 + 2 * 4 + 3 * 10);
  const auto ink = [&](int left, int top, int right, int bottom) {
    int count = 0;
    for (int y = top; y < bottom; ++y)
      for (int x = left; x < right; ++x) count += picture.row(y)[x * 3] < 128;
    return count;
  };
  EXPECT_GT(ink(4, 4, 64, 14), 20) << "left";
  EXPECT_GT(ink(68, 4, 128, 14), 20) << "right";
  EXPECT_GT(ink(4, 74, 64, 94), 40) << "one two three";
  EXPECT_EQ(ink(68, 74, 128, 94), 0);
}

TEST(Sheet, RefusesNothing) {
  EXPECT_THROW(render({.title = "empty"}), Error);
  EXPECT_THROW(render({.columns = 0, .tiles = {{}}}), Error);
}

}  // namespace
}  // namespace dino::image
