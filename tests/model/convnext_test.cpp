// ConvNeXt against Hugging Face's DINOv3ConvNextModel (and, where the goldens are made, timm): same
// weights and images by formula, goldens from tests/golden/model/convnext.py (float64).
#include "dino/model/convnext.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "tests/model/backbone_checks.h"

namespace dino::model {
namespace {

using torch::indexing::None;
using torch::indexing::Slice;

// fp32 rounding over up to 36 blocks; measured 2e-6.
constexpr double kConvNextTolerance = 1e-5;

struct ConvNextCase {
  std::string file;
  arch::ConvNext net;
  int batch;
  int cls_step, token_step, channel_step;  // of the stored slices
};

ConvNextCase tiny() {
  return {"convnext_tiny",
          arch::zoo_entry("dinov3_convnext_tiny").network.architecture.convnext,
          1,
          4,
          7,
          32};
}
ConvNextCase deep() {
  return {"convnext_deep", {.depths = {3, 3, 27, 3}, .widths = {8, 16, 24, 40}}, 2, 1, 3, 4};
}

std::shared_ptr<ConvNext> synthetic_convnext(const arch::ConvNext& net) {
  auto backbone = std::make_shared<ConvNext>(net, 3, at::detail::createCPUGenerator(1));
  golden::fill_parameters(*backbone, 1.5);
  return backbone;
}

void check_convnext(const ConvNextCase& c, std::initializer_list<std::pair<int, int>> sizes) {
  const auto backbone = synthetic_convnext(c.net);
  const golden::GoldenFile golden("model/" + c.file + ".safetensors");
  for (const auto& [height, width] : sizes) {
    const std::string key = fmt::format("{}x{}", height, width);
    SCOPED_TRACE(c.file + " " + key);
    const auto images = golden::image("image", {c.batch, 3, height, width});
    const auto cls_slice = [&](const torch::Tensor& cls) {
      return cls.index({Slice(), Slice(0, None, c.cls_step)});
    };
    const auto patch_slice = [&](const torch::Tensor& patches, int step) {
      return patches.index({Slice(), Slice(0, None, step), Slice(0, None, c.channel_step)});
    };

    const auto features = backbone->forward_features(images);
    EXPECT_EQ(features.grid_height, height / 32);
    EXPECT_EQ(features.grid_width, width / 32);
    EXPECT_EQ(features.patches.size(1), features.grid_height * features.grid_width);
    EXPECT_LE(relative_error(cls_slice(features.cls), golden[key + ".cls"]), kConvNextTolerance);
    EXPECT_LE(relative_error(patch_slice(features.patches, c.token_step), golden[key + ".patches"]),
              kConvNextTolerance);

    const auto layers = backbone->layers(images, {0, 1, 2, 3}, /*norm=*/false);
    ASSERT_EQ(layers.size(), 4u);
    for (std::size_t s = 0; s < 4; ++s) {
      const std::string stage = key + ".stage" + std::to_string(s);
      EXPECT_LE(relative_error(cls_slice(layers[s].cls), golden[stage + ".cls"]),
                kConvNextTolerance)
          << stage;
      const int step = c.token_step << (2 * (3 - s));
      EXPECT_LE(relative_error(patch_slice(layers[s].patches, step), golden[stage + ".patches"]),
                kConvNextTolerance)
          << stage;
    }
  }
}

TEST(ConvNext, DeepAndNarrowMatchesHuggingFace) {
  check_convnext(deep(), {{64, 64}, {96, 32}, {75, 101}});
}
TEST(ConvNext, TinyMatchesHuggingFaceOnANonSquareImage) {
  check_convnext(tiny(), {{96, 160}});
}
TEST(ConvNextSlow, TinyMatchesHuggingFaceAtFullSize) {
  check_convnext(tiny(), {{224, 224}, {256, 256}});
}

TEST(ConvNext, OnlyTheLastStageIsNormed) {
  const auto backbone = synthetic_convnext(deep().net);
  const auto images = golden::image("image", {2, 3, 64, 96});
  const auto features = backbone->forward_features(images);
  const auto normed = backbone->layers(images, {2, 3}, /*norm=*/true);
  const auto plain = backbone->layers(images, {2, 3}, /*norm=*/false);
  EXPECT_TRUE(torch::equal(normed[0].cls, plain[0].cls));
  EXPECT_TRUE(torch::equal(normed[0].patches, plain[0].patches));
  EXPECT_EQ(normed[0].patches.sizes(), (std::vector<std::int64_t>{2, 4 * 6, 24}));
  EXPECT_TRUE(torch::equal(normed[1].cls, features.cls));
  EXPECT_TRUE(torch::equal(normed[1].patches, features.patches));
}

// Gradients of a weighted sum of CLS; with the graph on, every parameter gets one.
TEST(ConvNext, GradientsMatchHuggingFace) {
  const auto backbone = synthetic_convnext(deep().net);
  const golden::GoldenFile golden("model/convnext_deep.safetensors");
  backbone->train();
  const auto groups = backbone->forward_groups({{golden::image("image", {2, 3, 64, 64}), {}}},
                                               Tokens::ClsAndPatches);
  EXPECT_LE(relative_error(groups[0].cls.detach(), golden["64x64.cls"]), kConvNextTolerance);
  EXPECT_EQ(groups[0].patches.sizes(), (std::vector<std::int64_t>{2, 4, 40}));
  (groups[0].cls * golden::image("loss", {2, 40})).sum().backward();
  expect_gradients(*backbone, golden,
                   {"downsample_layers.0.0.weight", "stages.1.2.dwconv.weight", "stages.2.26.gamma",
                    "stages.3.0.pwconv1.weight", "norm.weight"});
}

TEST(ConvNext, GroupsAreIndependent) {
  const auto backbone = synthetic_convnext(deep().net);
  expect_independent_groups(*backbone, {64, 64}, {32, 32}, 0);
}

TEST(ConvNext, Bf16StaysNearFp32) {
  const auto backbone = synthetic_convnext(deep().net);
  expect_bf16_near_fp32(*backbone);
}

TEST(ConvNext, RefusesWhatItCannotDo) {
  const auto backbone = synthetic_convnext(deep().net);
  const auto images = golden::image("image", {1, 3, 32, 32});
  EXPECT_THROW(backbone->attention(images, -1, AttentionRows::All), Error);
  EXPECT_THROW(backbone->layers(images, {4}, true), Error);
  EXPECT_THROW(backbone->layers(images, {-5}, true), Error);
  EXPECT_THROW(backbone->forward_features(golden::image("image", {1, 4, 32, 32})), Error);
  EXPECT_THROW(backbone->forward_features(golden::image("image", {1, 3, 31, 64})), Error);
  const auto mask = torch::ones({1, 1}, torch::kBool);
  EXPECT_THROW(backbone->forward_groups({{images, mask}}, Tokens::Cls), Error);
}

TEST(ConvNext, StartsAsTheReferenceDoes) {
  const ConvNext backbone({.depths = {1, 1, 1, 1}, .widths = {32, 32, 64, 64}}, 3,
                          at::detail::createCPUGenerator(1));
  const auto parameters = backbone.named_parameters();
  const auto& gamma = parameters["stages.0.0.gamma"];
  EXPECT_TRUE(torch::equal(gamma, torch::full_like(gamma, 1e-6)));
  for (const char* name : {"downsample_layers.0.0", "stages.1.0.dwconv", "stages.3.0.pwconv2"}) {
    EXPECT_NEAR(parameters[std::string(name) + ".weight"].std().item<double>(), 0.02, 0.002);
    EXPECT_EQ(parameters[std::string(name) + ".bias"].abs().max().item<double>(), 0);
  }
}

}  // namespace
}  // namespace dino::model
