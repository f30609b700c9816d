// XCiT against timm: same weights, running statistics and images by formula, goldens from
// tests/golden/model/xcit.py (float64).
#include "dino/model/xcit.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "tests/model/backbone_checks.h"

namespace dino::model {
namespace {

using torch::indexing::None;
using torch::indexing::Slice;

constexpr double kXcitTolerance = 1e-5;  // fp32 rounding over up to 26 blocks; measured 6e-6

struct XcitCase {
  std::string file;
  arch::Xcit net;
  int batch;
  int cls_step, token_step, channel_step;  // of the stored slices
};

XcitCase little(int patch) {
  return {"xcit_little_p" + std::to_string(patch),
          {.dim = 48, .depth = 3, .heads = 4, .patch_size = patch},
          2,
          1,
          patch == 16 ? 3 : 5,
          4};
}
XcitCase published(const std::string& name, int token_step) {
  return {"xcit_" + name,
          arch::zoo_entry("dino_xcit_" + name).network.architecture.xcit,
          1,
          2,
          token_step,
          32};
}

std::shared_ptr<Xcit> synthetic_xcit(const arch::Xcit& net) {
  auto backbone = std::make_shared<Xcit>(net, 3, at::detail::createCPUGenerator(1));
  golden::fill_parameters(*backbone, 1.5);
  golden::fill_statistics(*backbone);
  return backbone;
}

torch::Tensor cls_slice(const XcitCase& c, const torch::Tensor& cls) {
  return cls.index({Slice(), Slice(0, None, c.cls_step)});
}
torch::Tensor patch_slice(const XcitCase& c, const torch::Tensor& patches) {
  return patches.index({Slice(), Slice(0, None, c.token_step), Slice(0, None, c.channel_step)});
}

void check_xcit(const XcitCase& c, std::initializer_list<std::pair<int, int>> sizes) {
  const auto backbone = synthetic_xcit(c.net);  // in training mode: features for use must not care
  const golden::GoldenFile golden("model/" + c.file + ".safetensors");
  for (const auto& [height, width] : sizes) {
    const std::string key = fmt::format("{}x{}", height, width);
    SCOPED_TRACE(c.file + " " + key);
    const auto images = golden::image("image", {c.batch, 3, height, width});

    const auto features = backbone->forward_features(images);
    const auto p = static_cast<int>(c.net.patch_size);
    EXPECT_EQ(features.grid_height, (height + p - 1) / p);
    EXPECT_EQ(features.grid_width, (width + p - 1) / p);
    EXPECT_EQ(features.patches.size(1), features.grid_height * features.grid_width);
    EXPECT_LE(relative_error(cls_slice(c, features.cls), golden[key + ".cls"]), kXcitTolerance);
    EXPECT_LE(relative_error(patch_slice(c, features.patches), golden[key + ".patches"]),
              kXcitTolerance);

    const auto layers = backbone->layers(images, {-3, -2, -1}, /*norm=*/false);
    ASSERT_EQ(layers.size(), 3u);
    EXPECT_LE(relative_error(patch_slice(c, layers[0].patches), golden[key + ".last_block"]),
              kXcitTolerance);
    EXPECT_LE(relative_error(cls_slice(c, layers[1].cls), golden[key + ".class_block.cls"]),
              kXcitTolerance);
    EXPECT_LE(
        relative_error(patch_slice(c, layers[1].patches), golden[key + ".class_block.patches"]),
        kXcitTolerance);

    const auto attention = backbone->attention(images, -1, AttentionRows::All);
    EXPECT_EQ(attention.size(3), 1 + features.patches.size(1));
    // Probabilities: near one-hot here, so the small ones are compared with 1, not with each other.
    EXPECT_LE(
        largest_difference(attention.index({Slice(), Slice(), 0, Slice(0, None, c.token_step)}),
                           golden[key + ".cls_attention"]),
        kXcitTolerance);
  }
}

TEST(Xcit, LittleOnesMatchTimm) {
  check_xcit(little(16), {{64, 64}, {48, 112}, {50, 71}});
  check_xcit(little(8), {{32, 32}, {56, 24}, {43, 29}});
}
TEST(Xcit, SmallPatch16MatchesTimm) {
  check_xcit(published("small_12_p16", 29), {{96, 96}, {64, 160}});
}
TEST(XcitSlow, PublishedSizesMatchTimm) {
  check_xcit(published("small_12_p16", 29), {{224, 224}});
  check_xcit(published("small_12_p8", 113), {{56, 72}, {224, 224}});
  check_xcit(published("medium_24_p16", 29), {{96, 160}, {224, 224}});
}

TEST(Xcit, TheLastLayerIsTheFeatures) {
  const auto backbone = synthetic_xcit(little(16).net);
  const auto images = golden::image("image", {2, 3, 64, 48});
  const auto features = backbone->forward_features(images);
  const auto layers = backbone->layers(images, {0, 1, 2, 3, 4}, /*norm=*/true);
  ASSERT_EQ(layers.size(), 5u);
  EXPECT_TRUE(torch::equal(layers[4].cls, features.cls));
  EXPECT_TRUE(torch::equal(layers[4].patches, features.patches));
  EXPECT_EQ(layers[0].patches.sizes(), (std::vector<std::int64_t>{2, 4 * 3, 48}));
  EXPECT_FALSE(layers[0].cls.defined());
  EXPECT_EQ(layers[3].cls.sizes(), (std::vector<std::int64_t>{2, 48}));
}

// A forward by batch statistics, the gradients of a weighted sum of CLS, and the running statistics
// left.
TEST(Xcit, TrainingMatchesTimm) {
  const XcitCase c = little(16);
  const auto backbone = synthetic_xcit(c.net);
  const golden::GoldenFile golden("model/" + c.file + ".safetensors");
  backbone->train();
  const auto groups = backbone->forward_groups({{golden::image("image", {2, 3, 64, 64}), {}}},
                                               Tokens::ClsAndPatches);
  EXPECT_LE(relative_error(groups[0].cls.detach(), golden["train.cls"]), kXcitTolerance);
  EXPECT_LE(relative_error(patch_slice(c, groups[0].patches.detach()), golden["train.patches"]),
            kXcitTolerance);
  (groups[0].cls * golden::image("loss", {2, 48})).sum().backward();
  expect_gradients(*backbone, golden,
                   {"cls_token", "patch_embed.proj.0.0.weight", "blocks.0.attn.temperature",
                    "blocks.1.attn.qkv.weight", "blocks.2.local_mp.bn.weight", "blocks.2.gamma3",
                    "pos_embeder.token_projection.weight"});
  const auto buffers = backbone->named_buffers();
  const std::string norm = "blocks.2.local_mp.bn.";
  for (const std::string statistic : {"running_mean", "running_var"})
    EXPECT_LE(relative_error(buffers[norm + statistic], golden["after." + statistic]),
              kXcitTolerance);
  EXPECT_EQ(buffers[norm + "num_batches_tracked"].item<std::int64_t>(), 1);
}

TEST(Xcit, GroupsAreIndependentInEvalMode) {
  const auto backbone = synthetic_xcit(little(8).net);
  backbone->eval();
  expect_independent_groups(*backbone, {32, 32}, {16, 24}, 1e-6);
}

TEST(Xcit, Bf16StaysNearFp32) {
  const auto backbone = synthetic_xcit(little(16).net);
  expect_bf16_near_fp32(*backbone);
}

TEST(Xcit, RefusesWhatItCannotDo) {
  const auto backbone = synthetic_xcit(little(16).net);
  const auto images = golden::image("image", {1, 3, 16, 16});
  EXPECT_THROW(backbone->layers(images, {5}, true), Error);
  EXPECT_THROW(backbone->layers(images, {-6}, true), Error);
  EXPECT_THROW(backbone->forward_features(golden::image("image", {1, 4, 32, 32})), Error);
  EXPECT_THROW(backbone->forward_features(golden::image("image", {1, 3, 15, 64})), Error);
  const auto mask = torch::ones({1, 1}, torch::kBool);
  EXPECT_THROW(backbone->forward_groups({{images, mask}}, Tokens::Cls), Error);
  // One value per channel in the last norm of the stem: there is no batch to normalize by.
  EXPECT_THROW(backbone->forward_groups({{images, {}}}, Tokens::Cls), Error);
}

TEST(Xcit, StartsAsTheReferenceDoes) {
  const Xcit backbone({.dim = 64, .depth = 1, .heads = 4, .layer_scale_init = 1e-5}, 3,
                      at::detail::createCPUGenerator(1));
  const auto parameters = backbone.named_parameters();
  const auto& gamma = parameters["cls_attn_blocks.1.gamma2"];
  EXPECT_TRUE(torch::equal(gamma, torch::full_like(gamma, 1e-5)));
  EXPECT_EQ(parameters["blocks.0.attn.temperature"].sum().item<double>(), 4);
  EXPECT_NEAR(parameters["blocks.0.attn.qkv.weight"].std().item<double>(), 0.02, 0.001);
  const auto& stem = parameters["patch_embed.proj.6.0.weight"];  // uniform in +-1 / sqrt(9 * 32)
  EXPECT_NEAR(stem.abs().max().item<double>(), 1 / std::sqrt(9.0 * 32), 1e-4);
}

}  // namespace
}  // namespace dino::model
