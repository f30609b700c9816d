#include "dino/eval/patch_segmentation.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>
#include <string>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/image/codecs/encode.h"
#include "tests/embed/fakes.h"
#include "tests/temp_dir.h"

namespace dino::eval {
namespace {

/** Scenes written by hand: the left half of each is of class 1, gray level 200; the right one is
 * background, level 50. The border moves from scene to scene. */
class HalvedScenes : public ::testing::Test {
 protected:
  static constexpr int kSide = 32;

  HalvedScenes() {
    write("train", 6);
    write("test", 3);
    write_json_file(dir_ / "scenes.json",
                    {{"format", 1}, {"complete", true}, {"options", {{"size", kSide}}}});
    write_file_atomically(dir_ / "classes.txt", std::string_view("background\nhalf\nnever\n"));
  }

  /** The border of scene i. */
  static int border(int i) { return 8 + 4 * (i % 4); }

  void write(const std::string& split, int count) const {
    const auto images = dir_ / split / "images", maps = dir_ / split / "maps/classes";
    std::filesystem::create_directories(images);
    std::filesystem::create_directories(maps);
    for (int i = 0; i < count; ++i) {
      image::Image image(kSide, kSide, 3), map(kSide, kSide, 1);
      for (int y = 0; y < kSide; ++y)
        for (int x = 0; x < kSide; ++x) {
          const bool left = x < border(i);
          map.row(y)[x] = left ? 1 : 0;
          for (int c = 0; c < 3; ++c) image.row(y)[3 * x + c] = left ? 200 : 50;
        }
      const std::string name = std::to_string(i) + ".png";
      image::write_png(images / name, image);
      image::write_png(maps / name, map);
    }
  }

  PatchSegmentation opened(const PatchProtocol& protocol = {}) const {
    return {dir_.path(), {}, 4, protocol};
  }

  test::TempDir dir_;
};

TEST_F(HalvedScenes, PixelsSolveThem) {
  const auto figures = opened().measure(patch_pixels(4)).value();
  EXPECT_EQ(figures.scenes, 3);
  EXPECT_EQ(figures.bad, 0);
  EXPECT_EQ(figures.gallery_patches, 6 * 64);
  // Borders lie on those of patches, where interpolation of sure scores changes its mind, too.
  EXPECT_DOUBLE_EQ(figures.knn.mean_iou, 1);
  EXPECT_DOUBLE_EQ(figures.knn.pixel_accuracy, 1);
  EXPECT_GT(figures.linear.mean_iou, 0.95);
  ASSERT_EQ(figures.knn.iou.size(), 3u);
  EXPECT_FALSE(figures.knn.iou[2].has_value());
}

TEST_F(HalvedScenes, EqualFeaturesTellNothing) {
  const auto figures = opened().measure([](const torch::Tensor& images) {
    return torch::ones({images.size(0), 64, 3});
  });
  // All px get the class of most patches, background: of the three test scenes 60 % of the px.
  EXPECT_DOUBLE_EQ(figures->linear.pixel_accuracy, 1 - (8 + 12 + 16) / (3.0 * 32));
  EXPECT_DOUBLE_EQ(figures->linear.mean_iou, figures->linear.pixel_accuracy / 2);
  EXPECT_DOUBLE_EQ(figures->linear.iou[1].value(), 0);
}

TEST_F(HalvedScenes, ANetworkIsAskedForItsPatches) {
  embed::testing::FakeBackbone backbone(4);
  const auto figures = opened().measure(patch_tokens(backbone)).value();
  EXPECT_DOUBLE_EQ(figures.knn.mean_iou, 1);
  EXPECT_GT(figures.linear.mean_iou, 0.9);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(opened().measure(patch_tokens(backbone), {}, stop.get_token()).has_value());
}

TEST_F(HalvedScenes, TheGalleryIsBounded) {
  EXPECT_EQ(opened({.gallery = 60}).measure(patch_pixels(4))->gallery_patches, 60);
  EXPECT_EQ(opened({.gallery = 4}).measure(patch_pixels(4))->gallery_patches, 4);
  const auto one = opened({.gallery = 30, .seed = 1}).measure(patch_pixels(4));
  const auto again = opened({.gallery = 30, .seed = 1}).measure(patch_pixels(4));
  EXPECT_EQ(one->linear.mean_iou, again->linear.mean_iou);
  std::int64_t last = 0;
  const auto figures = opened({.gallery = 30, .scenes = 2})
                           .measure(patch_pixels(4), [&](std::int64_t done, std::int64_t total) {
                             EXPECT_EQ(total, 8);
                             last = done;
                           });
  EXPECT_EQ(last, 8);
  EXPECT_EQ(figures->scenes, 2);
}

TEST_F(HalvedScenes, AreFedAtOtherSizesToo) {
  const PatchSegmentation larger = opened({.image_size = 64});
  EXPECT_EQ(larger.image_size(), 64);
  EXPECT_GT(larger.measure(patch_pixels(4))->knn.mean_iou, 0.95);
  EXPECT_EQ(PatchSegmentation(dir_.path(), {}, 5, {}).image_size(), 30);
  EXPECT_THROW(opened({.image_size = 30}), Error);   // no whole patches
  EXPECT_THROW(opened({.image_size = 256}), Error);  // more patches than px
}

TEST_F(HalvedScenes, BadScenesAreCountedAndBadFeaturesNamed) {
  write_file_atomically(dir_ / "test/images/1.png", std::string_view("no picture"));
  const auto figures = opened().measure(patch_pixels(4)).value();
  EXPECT_EQ(figures.scenes, 2);
  EXPECT_EQ(figures.bad, 1);
  try {
    opened().measure([](const torch::Tensor& images) {
      return torch::full({images.size(0), 64, 3}, std::nan(""));
    });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
  }
  for (int i = 0; i < 6; ++i)
    write_file_atomically(dir_ / ("train/images/" + std::to_string(i) + ".png"),
                          std::string_view("no picture"));
  EXPECT_THROW(opened().measure(patch_pixels(4)), Error);
  EXPECT_THROW(PatchSegmentation(dir_ / "none", {}, 4, {}), Error);
}

}  // namespace
}  // namespace dino::eval
