#include "dino/data/scenes/compose.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/data/scenes/pictures.h"

namespace dino::data {
namespace {

using testing::raster_of;
using testing::rectangle;

SceneObject square(std::int64_t label, const testing::Rgba& color, int side = 20) {
  NoCutout why{};
  return {*cut_out(raster_of(rectangle(side + 2, 0, 0, side, side, color)), 100, why), label, ""};
}

Scene blank(int side) {
  Scene scene;
  scene.image = image::Image(side, side, 3);
  scene.classes = scene.instances = image::Image(side, side, 1);
  return scene;
}

ObjectLibrary library_of(int classes, int per_class) {
  ObjectLibrary library;
  for (auto& split : library.of) split.resize(static_cast<std::size_t>(classes));
  for (int c = 0; c < classes; ++c) {
    library.classes.push_back("class" + std::to_string(c));
    for (int i = 0; i < per_class; ++i) {
      library.of[static_cast<std::size_t>(i % 2)][static_cast<std::size_t>(c)].push_back(
          std::ssize(library.objects));
      library.objects.push_back(square(
          c + 1, {static_cast<std::uint8_t>(50 * c), static_cast<std::uint8_t>(20 * i), 255, 255}));
    }
  }
  return library;
}

/** Two squares that overlap by 10 x 10 px: every px is known. */
TEST(Compose, NearerObjectsHideFartherOnes) {
  Scene scene = blank(64);
  ASSERT_TRUE(add_object(scene, square(3, {255, 0, 0, 255}), 7,
                         {.center_x = 20, .center_y = 20, .side_px = 20}));
  ASSERT_TRUE(add_object(scene, square(5, {0, 255, 0, 255}), 9,
                         {.center_x = 30, .center_y = 30, .side_px = 20}));
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x) {
      const bool far = x >= 10 && x < 30 && y >= 10 && y < 30;
      const bool near = x >= 20 && x < 40 && y >= 20 && y < 40;
      ASSERT_EQ(scene.classes.row(y)[x], near ? 5 : far ? 3 : 0);
      ASSERT_EQ(scene.instances.row(y)[x], near ? 2 : far ? 1 : 0);
      ASSERT_EQ(scene.image.row(y)[3 * x], far && !near ? 255 : 0);
      ASSERT_EQ(scene.image.row(y)[3 * x + 1], near ? 255 : 0);
    }
  ASSERT_EQ(scene.objects.size(), 2u);
  EXPECT_EQ(scene.objects[0].object, 7);
  EXPECT_EQ(scene.objects[0].pixels, 400);
  EXPECT_EQ(scene.objects[0].visible_pixels, 300);
  EXPECT_EQ(scene.objects[1].visible_pixels, 400);
}

TEST(Compose, RefusesToHideAnObjectTooFar) {
  Scene scene = blank(64);
  ASSERT_TRUE(add_object(scene, square(1, {255, 0, 0, 255}), 0,
                         {.center_x = 20, .center_y = 20, .side_px = 20}));
  const Scene before = scene;
  EXPECT_FALSE(add_object(scene, square(2, {0, 255, 0, 255}), 1,
                          {.center_x = 22, .center_y = 22, .side_px = 20}));
  EXPECT_EQ(scene.image, before.image);
  EXPECT_EQ(scene.classes, before.classes);
  EXPECT_EQ(scene.objects[0].visible_pixels, 400);
  EXPECT_FALSE(add_object(scene, square(2, {0, 255, 0, 255}), 1,
                          {.center_x = -30, .center_y = 20, .side_px = 20}));
}

TEST(Compose, HalfTransparentPixelsShowBothAndBelongToTheObject) {
  Scene scene = blank(32);
  std::ranges::fill(scene.image.pixels, std::uint8_t{200});
  ASSERT_TRUE(add_object(scene, square(1, {0, 0, 0, 128}), 0,
                         {.center_x = 16, .center_y = 16, .side_px = 20}));
  EXPECT_NEAR(scene.image.row(16)[3 * 16], 100, 1);
  EXPECT_EQ(scene.classes.row(16)[16], 1);
}

TEST(DrawScene, MapsAgreeWithItsObjects) {
  const ObjectLibrary library = library_of(4, 6);
  const ComposeOptions options{.size = 64, .objects = {2, 9}, .turn_degrees = 180, .seed = 3};
  std::set<std::string_view> backgrounds;
  for (const SceneSplit split : {SceneSplit::Train, SceneSplit::Test})
    for (std::int64_t number = 0; number < 40; ++number) {
      const Scene scene = draw_scene(library, split, number, {}, options);
      backgrounds.insert(scene.background);
      ASSERT_GE(scene.objects.size(), 1u);
      ASSERT_LE(scene.objects.size(), 9u);
      std::vector<std::int64_t> seen(scene.objects.size() + 1);
      for (std::size_t i = 0; i < scene.instances.pixels.size(); ++i) {
        const std::size_t instance = scene.instances.pixels[i];
        ASSERT_LE(instance, scene.objects.size());
        ++seen[instance];
        const std::int64_t label =
            instance == 0
                ? 0
                : library.objects[static_cast<std::size_t>(scene.objects[instance - 1].object)]
                      .label;
        ASSERT_EQ(scene.classes.pixels[i], label);
      }
      for (std::size_t i = 0; i < scene.objects.size(); ++i) {
        const SceneInstance& object = scene.objects[i];
        EXPECT_EQ(seen[i + 1], object.visible_pixels);
        EXPECT_GE(static_cast<double>(object.visible_pixels),
                  kLeastVisible * static_cast<double>(object.pixels));
        EXPECT_EQ(object.object % 2, split == SceneSplit::Test ? 1 : 0);  // see library_of()
      }
    }
  EXPECT_EQ(backgrounds, (std::set<std::string_view>{"plain", "gradient", "noise", "stripes"}));
}

TEST(DrawScene, DependsOnSeedSplitAndNumber) {
  const ObjectLibrary library = library_of(2, 4);
  ComposeOptions options{.size = 48, .seed = 3};
  const auto drawn = [&](SceneSplit split, std::int64_t number) {
    return draw_scene(library, split, number, {}, options).image;
  };
  const image::Image first = drawn(SceneSplit::Train, 5);
  EXPECT_EQ(drawn(SceneSplit::Train, 5), first);
  EXPECT_NE(drawn(SceneSplit::Train, 6), first);
  EXPECT_NE(drawn(SceneSplit::Test, 5), first);
  options.seed = 4;
  EXPECT_NE(drawn(SceneSplit::Train, 5), first);
}

TEST(DrawSingle, ShowsTheObjectInTheMiddle) {
  const ObjectLibrary library = library_of(1, 2);
  const image::Image image = draw_single(library, 0, 32);
  EXPECT_EQ(image.row(0)[0], 128);
  EXPECT_EQ(image.row(16)[3 * 16], 0);
  EXPECT_EQ(image.row(16)[3 * 16 + 2], 255);
}

}  // namespace
}  // namespace dino::data
