#include "dino/data/scenes/background.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "dino/data/sources/dataset.h"
#include "dino/image/codecs/encode.h"
#include "tests/data/scenes/pictures.h"
#include "tests/temp_dir.h"

namespace dino::data {
namespace {

TEST(Background, IsDrawnFromItsStream) {
  std::set<std::string_view> kinds;
  for (std::uint64_t sample = 0; sample < 40; ++sample) {
    Rng first(1, 0, sample), second(1, 0, sample);
    const Background background = draw_background(40, {}, first);
    EXPECT_EQ(background.image, draw_background(40, {}, second).image);
    EXPECT_EQ(background.image.width, 40);
    EXPECT_EQ(background.image.height, 40);
    EXPECT_FALSE(background.unreadable);
    const std::set<std::uint8_t> levels(background.image.pixels.begin(),
                                        background.image.pixels.end());
    EXPECT_EQ(background.kind == "plain", levels.size() <= 3) << background.kind;
    kinds.insert(background.kind);
  }
  EXPECT_EQ(kinds, (std::set<std::string_view>{"plain", "gradient", "noise", "stripes"}));
}

TEST(Background, TakesHalfFromPhotographs) {
  const test::TempDir dir;
  image::Image red(30, 50, 3), blue(31, 20, 3);
  for (std::size_t i = 0; i < red.pixels.size(); i += 3) red.pixels[i] = 255;
  for (std::size_t i = 2; i < blue.pixels.size(); i += 3) blue.pixels[i] = 255;
  image::write_png(dir / "a.png", blue);
  image::write_png(dir / "b.png", red);
  testing::write_bytes(dir / "c.png", "\x89PNG\r\n\x1a\nbroken");
  const auto images = open_dataset(dir.path().string(), 3);
  const std::array<std::int64_t, 2> usable = {1, 2};  // not the blue one
  int photographs = 0, unreadable = 0;
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    Rng rng(1, 0, sample);
    const Background background = draw_background(24, {images.get(), usable}, rng);
    unreadable += background.unreadable ? 1 : 0;
    if (background.kind != "photograph") continue;
    ++photographs;
    image::Image expected(24, 24, 3);
    for (std::size_t i = 0; i < expected.pixels.size(); i += 3) expected.pixels[i] = 255;
    EXPECT_EQ(background.image, expected);
  }
  EXPECT_NEAR(photographs, 50, 25);
  EXPECT_NEAR(unreadable, 50, 25);
}

}  // namespace
}  // namespace dino::data
