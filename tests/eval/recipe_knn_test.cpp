// The protocol on an IDX data set small enough to know the answers.
#include "dino/eval/recipe_knn.h"

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "dino/base/error.h"
#include "tests/embed/fakes.h"

namespace dino::eval {
namespace {

using embed::testing::FakeBackbone;

/** Pictures of 8 x 8: class 0 has a bright left half, class 1 a bright right half; brightness
 * varies. */
class HalvesOnDisk {
 public:
  HalvesOnDisk()
      : path_(std::filesystem::temp_directory_path() /
              ("dino_halves_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
    write("train", 60);
    write("test", 20);
  }
  ~HalvesOnDisk() { std::filesystem::remove_all(path_); }
  std::string source(const char* name) const {
    return (path_ / (std::string(name) + "-images-idx3-ubyte")).string();
  }

 private:
  void write(const std::string& name, unsigned char count) const {
    std::ofstream images(path_ / (name + "-images-idx3-ubyte"), std::ios::binary);
    std::ofstream labels(path_ / (name + "-labels-idx1-ubyte"), std::ios::binary);
    const unsigned char zero = 0;
    images << zero << zero << '\x08' << '\x03' << zero << zero << zero << count << zero << zero
           << zero << '\x08' << zero << zero << zero << '\x08';
    labels << zero << zero << '\x08' << '\x01' << zero << zero << zero << count;
    for (int i = 0; i < count; ++i) {
      labels << static_cast<unsigned char>(i % 2);
      for (int p = 0; p < 64; ++p)
        images << static_cast<unsigned char>((p % 8 < 4) == (i % 2 == 0) ? 255 - i : 0);
    }
  }
  std::filesystem::path path_;
};

recipe::Recipe recipe_for(const HalvesOnDisk& data) {
  recipe::Recipe recipe;
  recipe.data.channels = 1;
  recipe.crops.global_size = 8;
  recipe.crops.mean = {0.5};
  recipe.crops.std = {0.5};
  recipe.knn.train = data.source("train");
  recipe.knn.test = data.source("test");
  recipe.knn.k = 5;
  recipe.knn.slice = 10;
  recipe.knn.gallery = 30;
  recipe.knn.shift_px = 2;
  return recipe;
}

TEST(RecipeKnn, PixelsSolveHalvesUntilTheyAreMirrored) {
  const HalvesOnDisk data;
  const RecipeKnn knn(recipe_for(data));
  const KnnFigures pixels = knn.final_pixels().value();
  EXPECT_DOUBLE_EQ(pixels.top1, 1);
  ASSERT_TRUE(pixels.shifted_top1.has_value());
  EXPECT_LT(*pixels.shifted_top1, 0.9);  // a mirrored left half is a right half
  EXPECT_GT(*pixels.shifted_top1, 0.1);
  EXPECT_EQ(knn.final_pixels()->shifted_top1, pixels.shifted_top1);  // drawn from the seed
}

TEST(RecipeKnn, StopsWhenAsked) {
  const HalvesOnDisk data;
  const RecipeKnn knn(recipe_for(data));
  FakeBackbone backbone(4);
  std::stop_source stop;
  EXPECT_TRUE(knn.final(backbone, stop.get_token()).has_value());
  stop.request_stop();
  EXPECT_FALSE(knn.final(backbone, stop.get_token()).has_value());
  EXPECT_FALSE(knn.final_pixels(stop.get_token()).has_value());
}

TEST(RecipeKnn, HeldOutImagesAreNotInTheGallery) {
  const HalvesOnDisk data;
  auto recipe = recipe_for(data);
  recipe.knn.test = "";
  const RecipeKnn knn(recipe);
  EXPECT_EQ(knn.queries().size(), 10);
  EXPECT_EQ(knn.gallery().size(), 60);
  FakeBackbone backbone(4);
  const auto top1 =
      knn.held_out(backbone);  // the fake's CLS is blind to left and right: chance, give or take
  ASSERT_TRUE(top1.has_value());
  EXPECT_LT(*top1, 1);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(knn.held_out(backbone, stop.get_token()).has_value());
}

TEST(RecipeKnn, RefusesSourcesItCannotJudge) {
  const HalvesOnDisk data;
  auto recipe = recipe_for(data);
  recipe.knn.train = "";
  EXPECT_THROW(RecipeKnn{recipe}, Error);
  recipe.knn.train = data.source("train");
  recipe.knn.test = data.source("missing");
  EXPECT_THROW(RecipeKnn{recipe}, Error);
}

}  // namespace
}  // namespace dino::eval
