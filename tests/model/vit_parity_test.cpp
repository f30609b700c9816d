// The ViT against timm's architecture of the published checkpoints: same weights and images by
// formula, goldens from tests/golden/model/make.py (float64). Tolerance 1e-5 on values of size 1 to
// 4: fp32 rounding over twelve blocks.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <string>

#include "dino/format/safetensors.h"
#include "dino/model/backbone.h"
#include "dino/recipe/recipe.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/synthetic_weights.h"

namespace {

using torch::indexing::Slice;

constexpr double kTolerance = 1e-5;

struct Case {
  std::string file;  // of tests/golden/model
  dino::recipe::Backbone backbone;
  int channels, table_px, batch;
};

Case tiny_p8() {
  return {"tiny_p8", {.arch = "vit", .patch_size = 8, .dim = 48, .depth = 3, .heads = 3}, 3, 32, 2};
}
Case gray_p4() {
  return {"gray_p4", {.arch = "vit", .patch_size = 4, .dim = 32, .depth = 2, .heads = 2}, 1, 28, 2};
}
Case small(int patch) {
  return {"small_p" + std::to_string(patch), {.arch = "vit_small", .patch_size = patch}, 3, 224, 1};
}

std::shared_ptr<dino::model::Backbone> synthetic_backbone(const Case& c) {
  dino::recipe::Recipe recipe;
  recipe.backbone = c.backbone;
  recipe.data.channels = c.channels;
  recipe.crops.global_size = c.table_px;
  auto backbone = dino::model::make_backbone(dino::recipe::architecture_of(recipe), {},
                                             at::detail::createCPUGenerator(1));
  dino::golden::fill_parameters(*backbone);
  backbone->eval();
  return backbone;
}

void expect_close(const torch::Tensor& actual, const torch::Tensor& expected, const char* what) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  EXPECT_LE((actual - expected).abs().max().item<double>(), kTolerance) << what;
}

void check(const Case& c, int height, int width) {
  const torch::NoGradGuard no_grad;
  const auto backbone = synthetic_backbone(c);
  const dino::golden::GoldenFile golden("model/" + c.file + ".safetensors");
  const std::string key = std::to_string(height) + "x" + std::to_string(width);
  SCOPED_TRACE(c.file + " " + key);
  const auto images = dino::golden::image("image", {c.batch, c.channels, height, width});

  const auto features = backbone->forward_features(images);
  EXPECT_EQ(features.grid_height, height / c.backbone.patch_size);
  EXPECT_EQ(features.grid_width, width / c.backbone.patch_size);
  EXPECT_EQ(features.patches.size(1), features.grid_height * features.grid_width);
  const auto patch_slice = [](const torch::Tensor& patches) {
    return patches.index({Slice(), Slice(0, torch::indexing::None, 13), Slice(0, 24)});
  };
  expect_close(features.cls, golden[key + ".cls"], "cls");
  expect_close(patch_slice(features.patches), golden[key + ".patches"], "patches");

  const auto layers =
      backbone->layers(images, dino::model::last_blocks(2, backbone->depth()), true);
  ASSERT_EQ(layers.size(), 2u);
  expect_close(layers[0].cls.index({Slice(), Slice(0, 24)}), golden[key + ".previous_cls"],
               "block L-1");
  expect_close(layers[1].cls, golden[key + ".cls"], "block L");

  const auto attention = backbone->attention(images);
  expect_close(attention.index({Slice(), Slice(), 0, Slice(0, torch::indexing::None, 5)}),
               golden[key + ".cls_attention"], "attention of CLS");
  expect_close(attention.sum(-1), torch::ones_like(attention.sum(-1)), "attention rows");
}

TEST(VitParity, Tiny) {
  for (const auto& [height, width] : {std::pair{32, 32}, {48, 48}, {24, 40}, {35, 31}})
    check(tiny_p8(), height, width);
}

TEST(VitParity, Gray) {
  for (const auto& [height, width] : {std::pair{28, 28}, {16, 16}}) check(gray_p4(), height, width);
}

TEST(VitParity, SmallPatch16LocalCrop) {
  check(small(16), 96, 96);
}
TEST(VitParity, SmallPatch8LocalCrop) {
  check(small(8), 96, 96);
}

TEST(VitParitySlow, SmallFullSizeAndNonSquare) {
  check(small(16), 224, 224);
  check(small(16), 160, 240);
  check(small(8), 224, 224);
  check(small(8), 64, 104);
}

// The training path (packed crops, CLS only in the last block) must give what the feature path
// gives.
TEST(VitParity, TrainingForwardMatches) {
  const Case c = tiny_p8();
  const auto backbone = synthetic_backbone(c);
  const dino::golden::GoldenFile golden("model/" + c.file + ".safetensors");
  backbone->train();
  for (const auto tokens : {dino::model::Tokens::Cls, dino::model::Tokens::ClsAndPatches}) {
    const auto groups =
        backbone->forward_groups({{dino::golden::image("image", {c.batch, 3, 32, 32}), {}},
                                  {dino::golden::image("image", {c.batch, 3, 24, 40}), {}}},
                                 tokens);
    ASSERT_EQ(groups.size(), 2u);
    expect_close(groups[0].cls, golden["32x32.cls"], "packed 32x32");
    expect_close(groups[1].cls, golden["24x40.cls"], "packed 24x40");
    EXPECT_EQ(groups[0].patches.defined(), tokens == dino::model::Tokens::ClsAndPatches);
  }
}

}  // namespace
