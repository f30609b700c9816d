// The protocol on an IDX data set small enough to know the answers.
#include "dino/eval/recipe_knn.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

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

/** Features that tell images by their brightness: the nearest is the one next in brightness. */
class BrightnessBackbone : public FakeBackbone {
 public:
  BrightnessBackbone() : FakeBackbone(8) {}
  model::Features forward_features(const torch::Tensor& images) override {
    const auto angle = images.amax({1, 2, 3});
    model::Features features;
    features.cls = torch::stack({angle.cos(), angle.sin(), torch::zeros_like(angle)}, 1);
    return features;
  }
};

/** Brightness falls image by image and the class changes with it. So an image is judged rightly by
 * itself, wrongly by its neighbors, and rightly again by those two away. */
TEST(RecipeKnn, HeldOutImagesAreNotInTheGallery) {
  const HalvesOnDisk data;
  auto recipe = recipe_for(data);
  recipe.knn.test = "";
  recipe.knn.k = 1;
  recipe.knn.gallery = 0;  // all that are not held out
  const RecipeKnn knn(recipe);
  EXPECT_EQ(knn.gallery().size(), 60);
  ASSERT_EQ(knn.queries().size(), 10);
  std::set<int> held;
  for (std::int64_t i = 0; i < 10; ++i) {
    const std::string name = knn.queries().name(i);
    held.insert(std::stoi(name.substr(name.rfind('#') + 1)));
  }
  ASSERT_EQ(held.size(), 10u);
  double right = 0;
  for (const int image : held) {
    const auto votes = [&](int other) { return other >= 0 && other < 60 && !held.contains(other); };
    int away = 1;
    while (!votes(image - away) && !votes(image + away)) ++away;
    right += away % 2 == 0;
  }
  BrightnessBackbone backbone;
  EXPECT_DOUBLE_EQ(knn.held_out(backbone).value(), right / 10);
  EXPECT_DOUBLE_EQ(knn.final(backbone)->top1, right / 10);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(knn.held_out(backbone, stop.get_token()).has_value());
}

/** knn.gallery of them vote, and no more. */
TEST(RecipeKnn, AVoteCanBeOfASample) {
  const HalvesOnDisk data;
  auto recipe = recipe_for(data);
  recipe.knn.test = "";
  recipe.knn.k = 1;
  recipe.knn.gallery = 1;  // one image, and so one class, is the answer to every query
  const RecipeKnn knn(recipe);
  double of_class_0 = 0;
  for (std::int64_t i = 0; i < 10; ++i) of_class_0 += knn.queries().label(i) == 0;
  BrightnessBackbone backbone;
  const double top1 = knn.held_out(backbone).value();
  EXPECT_TRUE(top1 == of_class_0 / 10 || top1 == 1 - of_class_0 / 10) << top1;
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
