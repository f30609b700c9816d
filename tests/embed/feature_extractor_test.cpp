// Images of mixed sizes, several threads, other preprocessing.
#include "dino/embed/feature_extractor.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <thread>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "tests/embed/fakes.h"
#include "tests/temp_dir.h"

namespace dino::embed {
namespace {

class FeatureExtractorTest : public ::testing::Test {
 protected:
  FeatureExtractorTest() {
    arch::Network network = arch::zoo_entry("dinov3_vits16").network;
    network.architecture.name.clear();
    network.architecture.vit.dim = 64;
    network.architecture.vit.heads = 1;
    network.architecture.vit.hidden = 128;
    network.architecture.vit.depth = 2;
    network.preprocess.image_size = 64;
    const auto backbone =
        model::make_backbone(network.architecture, {}, at::detail::createCPUGenerator(3));
    model::save_backbone(temp_ / "toy.safetensors", *backbone, network);
  }
  FeatureExtractor extractor() const { return FeatureExtractor(temp_ / "toy.safetensors"); }

  test::TempDir temp_;
};

double difference(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

TEST_F(FeatureExtractorTest, MixedSizesAreThoseOfOneAtATime) {
  FeatureExtractor dino = extractor();
  auto preprocess = dino.preprocess();
  preprocess.fit = data::Fit::Native;
  preprocess.remainder = data::Remainder::Floor;
  dino.set_preprocess(preprocess);
  std::vector<image::Image> images;
  for (const auto& [width, height] : {std::pair{64, 48}, {32, 64}, {64, 48}, {70, 50}, {32, 64}})
    images.push_back(testing::picture(width, height, 3, static_cast<int>(images.size())));
  const auto together = dino.features(images, 2);
  ASSERT_EQ(together.size(), images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto alone = dino.features(images[i]);
    EXPECT_EQ(together[i].grid_width, images[i].width / 16);
    EXPECT_EQ(together[i].grid_height, images[i].height / 16);
    EXPECT_LT(difference(together[i].cls, alone.cls), 1e-5);
    EXPECT_LT(difference(together[i].patches, alone.patches), 1e-5);
    EXPECT_LT(difference(together[i].registers, alone.registers), 1e-5);
  }
}

TEST_F(FeatureExtractorTest, ManyThreadsMayShareOne) {
  const FeatureExtractor dino = extractor();
  const auto picture = testing::picture(100, 80, 3);
  const auto expected = dino.features(picture).cls;
  std::vector<torch::Tensor> results(4);
  std::vector<std::jthread> threads;
  for (auto& result : results)
    threads.emplace_back([&] {
      for (int i = 0; i < 3; ++i) result = dino.features(picture).cls;
    });
  threads.clear();
  for (const auto& result : results) EXPECT_LT(difference(result, expected), 1e-6);
}

TEST_F(FeatureExtractorTest, LayersAndAttention) {
  const FeatureExtractor dino = extractor();
  const auto images = torch::randn({2, 3, 48, 64});
  const auto layers = dino.layers(images, {-1, 0});
  EXPECT_LT(difference(layers[0].patches, dino.forward(images).patches), 1e-6);
  EXPECT_FALSE(torch::equal(layers[1].patches, layers[0].patches));
  const auto attention = dino.attention(images);
  EXPECT_EQ(attention.sizes(), (std::vector<std::int64_t>{2, 1, 5, 5 + 12}));
  EXPECT_THROW(dino.layers(images, {2}), Error);
  EXPECT_THROW(dino.forward(torch::randn({1, 1, 48, 64})), Error);
}

TEST_F(FeatureExtractorTest, RefusesPreprocessingForOtherChannels) {
  FeatureExtractor dino = extractor();
  EXPECT_THROW(dino.set_preprocess({.image_size = 64, .channels = 1, .mean = {0.5}, .std = {0.5}}),
               Error);
  EXPECT_THROW(dino.features(testing::picture(64, 64, 1)), Error);
}

}  // namespace
}  // namespace dino::embed
