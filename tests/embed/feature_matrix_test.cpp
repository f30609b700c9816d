#include "dino/embed/feature_matrix.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include "dino/base/error.h"
#include "tests/embed/fakes.h"

namespace dino::embed {
namespace {

using testing::FakeBackbone;
using testing::MemoryDataset;
using testing::picture;

data::Preprocess gray(int size) {
  return {.image_size = size, .channels = 1, .mean = {0.25}, .std = {0.5}};
}

MemoryDataset sixteen(const std::vector<std::size_t>& bad = {}) {
  std::vector<image::Image> images;
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 16; ++i) {
    images.push_back(picture(8, 8, 1, 13 * i));
    labels.push_back(i % 3);
  }
  for (const auto i : bad) images[i] = {};
  return MemoryDataset(std::move(images), std::move(labels));
}

TEST(ExtractPixels, AreTheNormalizedPixels) {
  const auto dataset = sixteen();
  const auto matrix = extract_pixels(dataset, gray(8), {});
  ASSERT_EQ(matrix.features.sizes(), (torch::IntArrayRef{16, 64}));
  const auto pixels = dataset.load(5).pixels;
  for (std::int64_t j = 0; j < 64; ++j)
    EXPECT_NEAR(matrix.features[5][j].item<float>(),
                (pixels[static_cast<std::size_t>(j)] / 255.0 - 0.25) / 0.5, 1e-6);
  EXPECT_EQ(matrix.labels[5], 2);
}

TEST(ExtractFeatures, BatchSizeAndThreadsChangeNothing) {
  const auto dataset = sixteen();
  FakeBackbone backbone(4);
  backbone.train();
  const auto expected = extract_features(backbone, dataset, gray(8), FeatureKind::Cls, {});
  EXPECT_TRUE(backbone.is_training());  // put back as it was
  for (const int batch : {1, 3, 5, 16, 100})
    for (const int threads : {1, 3}) {
      const auto matrix = extract_features(backbone, dataset, gray(8), FeatureKind::Cls,
                                           {.batch_size = batch, .threads = threads});
      EXPECT_TRUE(torch::equal(matrix.features, expected.features)) << batch;
      EXPECT_EQ(matrix.indices, expected.indices);
    }
}

TEST(ExtractFeatures, MeanPatchFollowsCls) {
  const auto dataset = sixteen();
  FakeBackbone backbone(4);
  const auto matrix =
      extract_features(backbone, dataset, gray(8), FeatureKind::ClsAndMeanPatch, {});
  ASSERT_EQ(matrix.features.size(1), 6);  // the fake's CLS is the mean patch
  EXPECT_TRUE(torch::allclose(matrix.features.narrow(1, 0, 3), matrix.features.narrow(1, 3, 3)));
}

TEST(ExtractFeatures, UnreadableImagesAreCountedAndLeftOut) {
  const auto dataset = sixteen({0, 6, 15});
  FakeBackbone backbone(4);
  const auto matrix =
      extract_features(backbone, dataset, gray(8), FeatureKind::Cls, {.batch_size = 5});
  EXPECT_EQ(matrix.indices,
            (std::vector<std::int64_t>{1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14}));
  EXPECT_EQ(matrix.bad_count, 3);
  EXPECT_NE(matrix.bad.at(1).find("memory#6"), std::string::npos);
  const auto all = extract_features(backbone, sixteen(), gray(8), FeatureKind::Cls, {});
  EXPECT_TRUE(torch::equal(matrix.features[5], all.features[7]));
  EXPECT_EQ(matrix.labels[5], all.labels[7]);
}

TEST(ExtractFeatures, NothingReadableIsAnError) {
  FakeBackbone backbone(4);
  for (const auto& dataset : {MemoryDataset({}), MemoryDataset({image::Image{}, image::Image{}})}) {
    try {
      extract_features(backbone, dataset, gray(8), FeatureKind::Cls, {});
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Data);
    }
  }
}

/** A network that overflows on bright images. */
class OverflowingBackbone : public FakeBackbone {
 public:
  using FakeBackbone::FakeBackbone;
  model::Features forward_features(const torch::Tensor& images) override {
    model::Features features = FakeBackbone::forward_features(images);
    const torch::Tensor bright = images.flatten(1).amax(1) > 1.45;  // 250 and more of 255
    features.cls = torch::where(bright.unsqueeze(1), torch::full({}, INFINITY), features.cls);
    return features;
  }
};

TEST(ExtractFeatures, ImagesWhoseFeaturesAreNotFiniteAreCountedAndLeftOut) {
  std::vector<image::Image> images;
  std::vector<std::int64_t> labels, kept;
  for (int i = 0; i < 20; ++i) {
    images.push_back(picture(8, 8, 1, 13 * i));
    for (auto& pixel : images.back().pixels) pixel = static_cast<std::uint8_t>(pixel % 200);
    if (i == 0 || i == 7 || i == 8 || i == 19)
      images.back().pixels[5] = 255;
    else
      kept.push_back(i);
    labels.push_back(i % 3);
  }
  const MemoryDataset dataset(images, labels);
  FakeBackbone sound(4);
  const auto all = extract_features(sound, dataset, gray(8), FeatureKind::Cls, {});
  for (const int batch : {1, 3, 7, 64}) {
    OverflowingBackbone backbone(4);
    const auto matrix =
        extract_features(backbone, dataset, gray(8), FeatureKind::Cls, {.batch_size = batch});
    EXPECT_EQ(matrix.indices, kept) << batch;
    EXPECT_EQ(matrix.bad_count, 4);
    EXPECT_EQ(matrix.not_finite, 4);
    EXPECT_NE(matrix.bad.at(1).find("memory#7: its features are not finite"), std::string::npos);
    ASSERT_EQ(matrix.features.size(0), std::ssize(kept));
    for (std::size_t row = 0; row < kept.size(); ++row) {
      EXPECT_EQ(matrix.labels[row], kept[row] % 3);
      EXPECT_TRUE(
          torch::equal(matrix.features[static_cast<std::int64_t>(row)], all.features[kept[row]]));
    }
  }
  OverflowingBackbone backbone(4);
  EXPECT_THROW(extract_features(backbone, MemoryDataset({images[0], images[7]}), gray(8),
                                FeatureKind::Cls, {}),
               Error);
}

TEST(EvalModeTest, PutsEachPartBackIntoItsOwnMode) {
  auto inner = std::make_shared<torch::nn::BatchNorm1dImpl>(3);
  torch::nn::Sequential outer(torch::nn::Linear(3, 3), inner);
  outer->train();
  inner->eval();  // a frozen part of a network in training
  {
    const EvalMode eval_mode(*outer);
    EXPECT_FALSE(outer->is_training() || inner->is_training());
  }
  EXPECT_TRUE(outer->is_training());
  EXPECT_FALSE(inner->is_training());
  EXPECT_TRUE(outer->children()[0]->is_training());
}

TEST(ExtractFeatures, LeavesOutImagesOfTooManyTokens) {
  const MemoryDataset dataset({picture(8, 8, 1), picture(400, 8, 1), picture(12, 8, 1)});
  auto native = gray(8);
  native.fit = data::Fit::Native;
  FakeBackbone backbone(4);
  const auto matrix = extract_features(backbone, dataset, native, FeatureKind::Cls,
                                       {.patch_size = 4, .max_tokens = 100});
  EXPECT_EQ(matrix.indices, (std::vector<std::int64_t>{0, 2}));
  EXPECT_NE(matrix.bad.at(0).find("400 x 8 px fed to the network need 200 tokens of 4 px"),
            std::string::npos)
      << matrix.bad.at(0);
  EXPECT_NE(matrix.bad.at(0).find("--max-tokens"), std::string::npos);
  // Where all images are fed alike, the first need not be read to know.
  try {
    extract_features(backbone, MemoryDataset({image::Image{}}), gray(800), FeatureKind::Cls,
                     {.patch_size = 4, .max_tokens = 100});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("need 40000 tokens"), std::string::npos)
        << error.what();
  }
}

TEST(ExtractFeatures, StopsBetweenBatchesAndReportsProgress) {
  const auto dataset = sixteen();
  FakeBackbone backbone(4);
  std::stop_source source;
  std::vector<std::int64_t> seen;
  const auto matrix = extract_features(backbone, dataset, gray(8), FeatureKind::Cls,
                                       {.batch_size = 4,
                                        .progress =
                                            [&](std::int64_t done, std::int64_t total) {
                                              EXPECT_EQ(total, 16);
                                              seen.push_back(done);
                                              if (done == 8) source.request_stop();
                                            },
                                        .stop = source.get_token()});
  EXPECT_TRUE(matrix.stopped);
  EXPECT_EQ(matrix.features.size(0), 8);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{4, 8}));
}

}  // namespace
}  // namespace dino::embed
