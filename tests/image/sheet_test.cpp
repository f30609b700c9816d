#include "dino/image/sheet.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"
#include "dino/image/draw.h"

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

TEST(Sheet, RefusesNothing) {
  EXPECT_THROW(render({.title = "empty"}), Error);
  EXPECT_THROW(render({.columns = 0, .tiles = {{}}}), Error);
}

}  // namespace
}  // namespace dino::image
