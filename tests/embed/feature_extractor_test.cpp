// Images of mixed sizes, several threads, other preprocessing.
#include "dino/embed/feature_extractor.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
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

/** The library and the tool must see the same picture: turned, transparent, of 16 bits. */
TEST_F(FeatureExtractorTest, ReadsAFileAsEmbedReadsIt) {
  namespace fs = std::filesystem;
  const fs::path formats = DINO_SOURCE_DIR "/tests/golden/image/formats";
  fs::create_directories(temp_ / "images");
  for (const char* name :
       {"turned3.jpg", "turned6.jpg", "turned8.jpg", "turned6.png", "turned.webp", "turned.tif",
        "palette_alpha.png", "alpha.webp", "rgba.tif", "rgb16.png", "rgba16.tif", "lossy.webp"})
    fs::copy_file(formats / name, temp_ / "images" / name);
  std::map<std::string, std::vector<float>> defaults;
  for (const bool full_range : {false, true})
    for (const bool upright : {true, false})
      for (const std::vector<int>& background : {std::vector<int>{}, {200, 10, 90}}) {
        FeatureExtractor dino = extractor();
        data::Preprocess preprocess = dino.preprocess();
        preprocess.full_range = full_range;
        preprocess.upright = upright;
        preprocess.background = background;
        preprocess.fit = data::Fit::LongSide;
        preprocess.remainder = data::Remainder::Stretch;
        dino.set_preprocess(preprocess);
        const auto dataset = data::open_dataset(temp_ / "images", data::source_options(preprocess));
        const data::Preparer prepare(preprocess, 16);
        const std::string folder = (temp_ / "images").string();
        ASSERT_EQ(dataset->size(), 12);
        for (std::int64_t i = 0; i < dataset->size(); ++i) {
          const fs::path name = fs::path(dataset->name(i)).filename();
          const fs::path file = temp_ / "images" / name;
          const data::Prepared expected = prepare(*dataset, i), found = dino.prepare(file);
          ASSERT_EQ(found.width, expected.width) << name;
          ASSERT_EQ(found.height, expected.height) << name;
          EXPECT_EQ(found.pixels, expected.pixels) << name;
          EXPECT_TRUE(torch::equal(
              dino.features(file).cls,
              dino.forward(
                      torch::tensor(expected.pixels).view({1, 3, expected.height, expected.width}))
                  .cls))
              << name;
          if (!full_range && upright && background.empty())
            defaults[name.string()] = found.pixels;
          else if (!full_range && (upright ? name == "alpha.webp" : name == "turned3.jpg")) {
            EXPECT_NE(found.pixels, defaults[name.string()]) << "the setting has an effect";
          }
        }
      }
}

TEST_F(FeatureExtractorTest, SaysWhatItComputesAndRefusesWhatTakesTooLong) {
  EXPECT_EQ(extractor().computed().precision, model::Precision::Fp32);
  const FeatureExtractor bytes(temp_ / "toy.safetensors", {.precision = model::Precision::Int8});
  EXPECT_EQ(bytes.computed().precision, model::Precision::Int8);
  const FeatureExtractor strict(temp_ / "toy.safetensors", {.max_tokens = 15});
  EXPECT_THROW(strict.features(testing::picture(64, 64, 3)), Error);
  EXPECT_NO_THROW(FeatureExtractor(temp_ / "toy.safetensors", {.max_tokens = 16})
                      .features(testing::picture(64, 64, 3)));
}

/** Images of every shape: what is kept of each size must not pile up, nor be mixed up. */
TEST_F(FeatureExtractorTest, ManySizesInTurnGiveWhatTheyGaveBefore) {
  FeatureExtractor dino = extractor();
  auto preprocess = dino.preprocess();
  preprocess.fit = data::Fit::Native;
  dino.set_preprocess(preprocess);
  std::vector<torch::Tensor> first;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 12; ++i) {
      const auto cls = dino.features(testing::picture(32 + 16 * (i % 4), 32 + 16 * (i / 4), 3)).cls;
      if (round == 0)
        first.push_back(cls);
      else
        EXPECT_TRUE(torch::equal(cls, first[static_cast<std::size_t>(i)])) << i;
    }
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
