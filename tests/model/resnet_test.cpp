// ResNet-50 against torchvision: same weights and images by formula, goldens from
// tests/golden/model/make.py (float64).
#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/base/error.h"
#include "dino/model/resnet.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/synthetic_weights.h"

namespace {

using torch::indexing::None;
using torch::indexing::Slice;

std::shared_ptr<dino::model::Backbone> synthetic_resnet() {
  auto backbone = dino::model::make_resnet50(3, at::detail::createCPUGenerator(1));
  dino::golden::fill_parameters(*backbone, 1.5);
  return backbone;
}

torch::Tensor cls_slice(const torch::Tensor& cls) {
  return cls.index({Slice(), Slice(0, None, 5)});
}
torch::Tensor patch_slice(const torch::Tensor& patches) {
  return patches.index({Slice(), Slice(), Slice(0, None, 64)});
}

/** Largest difference over the largest expected value: fp32 through 53 layers keeps about five
 * digits. */
double relative_error(const torch::Tensor& actual, const torch::Tensor& expected) {
  EXPECT_EQ(actual.sizes(), expected.sizes());
  return (actual - expected).abs().max().item<double>() / expected.abs().max().item<double>();
}

TEST(ResNet50, FeaturesMatchTorchvision) {
  const auto backbone = synthetic_resnet();  // in training mode: features for use must not care
  const dino::golden::GoldenFile golden("model/resnet50.safetensors");
  const auto images = dino::golden::image("image", {3, 3, 64, 96});
  const auto features = backbone->forward_features(images);
  EXPECT_EQ(features.grid_height, 2);
  EXPECT_EQ(features.grid_width, 3);
  EXPECT_LE(relative_error(cls_slice(features.cls), golden["eval.cls"]), 1e-5);
  EXPECT_LE(relative_error(patch_slice(features.patches), golden["eval.patches"]), 1e-5);
  const auto layers = backbone->layers(images, {-1});
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_TRUE(torch::equal(layers[0].cls, features.cls));
  EXPECT_TRUE(torch::equal(layers[0].patches, features.patches));
}

TEST(ResNet50, TrainingNormalizesByTheGroupsOwnBatch) {
  const auto backbone = synthetic_resnet();
  const dino::golden::GoldenFile golden("model/resnet50.safetensors");
  backbone->train();
  const torch::NoGradGuard no_grad;
  // A norm over the last map's 18 values magnifies rounding: torchvision in fp32 is 6e-5 off its
  // own float64.
  constexpr double kTolerance = 2e-4;
  const auto images = dino::golden::image("image", {3, 3, 64, 96});
  const auto groups = backbone->forward_groups({{images, {}}}, dino::model::Tokens::ClsAndPatches);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_LE(relative_error(cls_slice(groups[0].cls), golden["train.cls"]), kTolerance);
  EXPECT_LE(relative_error(patch_slice(groups[0].patches), golden["train.patches"]), kTolerance);
  const auto buffers = backbone->named_buffers();
  EXPECT_LE(relative_error(buffers["layer4.2.bn3.running_mean"].index({Slice(0, None, 16)}),
                           golden["running_mean"]),
            kTolerance);
  EXPECT_LE(relative_error(buffers["layer4.2.bn3.running_var"].index({Slice(0, None, 16)}),
                           golden["running_var"]),
            kTolerance);
}

TEST(ResNet50, GradientsReachEveryParameter) {
  const auto backbone = synthetic_resnet();
  backbone->train();
  const auto groups = backbone->forward_groups({{dino::golden::image("image", {2, 3, 64, 64}), {}}},
                                               dino::model::Tokens::Cls);
  EXPECT_FALSE(groups[0].patches.defined());
  groups[0].cls.square().sum().backward();
  for (const auto& item : backbone->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
}

TEST(ResNet50, Bf16StaysNearFp32) {
  const auto backbone = synthetic_resnet();
  const auto images = dino::golden::image("image", {2, 3, 64, 64});
  const auto expected = backbone->forward_features(images).cls;
  backbone->set_precision(dino::model::Precision::Bf16);
  const auto actual = backbone->forward_features(images).cls;
  EXPECT_EQ(actual.scalar_type(), torch::kFloat32);
  EXPECT_LE(relative_error(actual, expected), 0.05);
}

TEST(ResNet50, RefusesWhatItCannotDo) {
  const auto backbone = synthetic_resnet();
  const auto images = dino::golden::image("image", {1, 3, 32, 32});
  EXPECT_THROW(backbone->attention(images), dino::Error);
  EXPECT_THROW(backbone->layers(images, {1}), dino::Error);
  EXPECT_THROW(backbone->forward_features(dino::golden::image("image", {1, 4, 32, 32})),
               dino::Error);
  const auto mask = torch::ones({1, 1}, torch::kBool);
  EXPECT_THROW(backbone->forward_groups({{images, mask}}, dino::model::Tokens::Cls), dino::Error);
  // One value per channel in the last map: there is no batch to normalize by.
  EXPECT_THROW(backbone->forward_groups({{images, {}}}, dino::model::Tokens::Cls), dino::Error);
}

}  // namespace
