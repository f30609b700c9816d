// What [data] and [crops] say of reading files.
#include "dino/recipe/training_images.h"

#include <gtest/gtest.h>

#include "dino/base/error.h"
#include "dino/data/prepare/preprocess.h"

namespace dino::recipe {
namespace {

TEST(SourceOptions, AreThoseOfTheRecipe) {
  Recipe recipe;
  recipe.data.channels = 1;
  recipe.data.background = {10, 20, 30};
  recipe.data.upright = false;
  recipe.data.max_pixels = 1'000'000;
  recipe.data.inputs = {"left.png"};
  const data::SourceOptions options = source_options(recipe);
  EXPECT_EQ(options.channels, 1);
  EXPECT_EQ(options.inputs, recipe.data.inputs);
  EXPECT_FALSE(options.decode.upright);
  EXPECT_EQ(options.decode.max_pixels, 1'000'000);
  EXPECT_EQ(source_options(Recipe{}).decode.max_pixels, image::DecodeOptions{}.max_pixels);
  ASSERT_TRUE(options.decode.background);
  EXPECT_EQ((*options.decode.background)[2], 30);
  EXPECT_EQ(options.decode.jpeg_min_side, 0);
  EXPECT_FALSE(source_options(Recipe{}).decode.background);
}

/** No box that random_resized_crop() can draw is smaller than its crop once the image has the side
 * that is asked for. */
TEST(SourceOptions, ShrunkJpegsAreNeverEnlarged) {
  Recipe recipe;
  recipe.data.shrink_jpeg = true;
  const auto side = [&] { return source_options(recipe).decode.jpeg_min_side; };
  EXPECT_EQ(source_options(recipe).decode.jpeg_min_short_side, 224);
  EXPECT_EQ(side(), 496);  // 96 px of 5 % of the area, three quarters as wide as high
  recipe.crops.local_window_step = 16;
  EXPECT_EQ(side(), 409);  // windows are cut from global crops: 224 px of 40 %
  recipe.crops.gram_size = 448;
  EXPECT_EQ(side(), 818);
  recipe.mixes = {.probability = {0.5, 0.5},
                  .global_size = {224, 768},
                  .local_size = {96, 112},
                  .gram_size = {0, 0}};
  EXPECT_EQ(side(), 1403);  // the largest of the mixes
}

TEST(LoaderOptions, AreThoseOfTheRecipe) {
  Recipe recipe;
  recipe.backbone.arch = "dinov2_vits14";
  recipe.masks.share = 0.5;
  recipe.data.batch_type = "uint8";
  recipe.train.batch_size = 6;
  const data::LoaderOptions options = loader_options(recipe);
  EXPECT_EQ(options.patch_size, 14);  // the architecture's, which the recipe need not repeat
  EXPECT_EQ(options.type, data::SampleType::U8);
  EXPECT_EQ(options.batch_size, 6);
  EXPECT_EQ(options.masks.share, 0.5);
}

TEST(LoaderOptions, ShareTheThreadsWithTheStep) {
  Recipe recipe;
  recipe.data.workers = 8;
  EXPECT_EQ(loader_options(recipe, 2).workers, 8);
  EXPECT_EQ(loader_options(recipe, 2).workers_beside, 1);
  EXPECT_EQ(loader_options(recipe, 32).workers_beside, 4);
  recipe.data.workers = 0;
  EXPECT_EQ(loader_options(recipe, 2).workers, 0);
}

}  // namespace
}  // namespace dino::recipe
