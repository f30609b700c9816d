#include "dino/embed/embed_images.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <cmath>
#include <functional>

#include "dino/base/error.h"
#include "dino/embed/feature_matrix.h"
#include "dino/embed/image_batches.h"
#include "tests/embed/fakes.h"
#include "tests/embed/store_fakes.h"
#include "tests/temp_dir.h"

namespace dino::embed {
namespace {

using testing::contents;
using testing::FakeBackbone;
using testing::MemoryDataset;
using testing::picture;

/** Twenty pictures of four shapes; 3 and 11 cannot be read. */
MemoryDataset mixed(int count = 20) {
  std::vector<image::Image> images;
  std::vector<std::int64_t> labels;
  for (int i = 0; i < count; ++i) {
    images.push_back(picture(8 + 4 * (i % 3), 8 + 4 * (i * i % 2), 1, 13 * i));
    labels.push_back(i % 3);
    if (i == 3 || i == 11) images.back() = {};
  }
  return MemoryDataset(std::move(images), std::move(labels));
}

const data::Preprocess kNative{
    .channels = 1, .mean = {0.25}, .std = {0.5}, .fit = data::Fit::Native};

StoreHeader header(std::vector<Feature> features = {Feature::Cls, Feature::Mean,
                                                    Feature::Patches}) {
  return {.network = "{}",
          .weights_hash = "",
          .features = std::move(features),
          .dim = 3,
          .patch_size = 4,
          .shard_rows = 7};
}

StoreWriterOptions memory_options() {
  return {.source = "memory", .class_names = {"class0", "class1", "class2"}};
}

EmbedResult embed_into(const std::filesystem::path& folder, const data::Dataset& dataset,
                       const EmbedOptions& options, StoreWriterOptions writer = memory_options()) {
  FakeBackbone backbone(4);
  FeatureStoreWriter store(folder, header(), std::move(writer));
  return embed_images(backbone, dataset, kNative, store, options);
}

TEST(EmbedImages, MixedSizesInBatchesEqualOneByOne) {
  const test::TempDir temp;
  const auto dataset = mixed();
  const auto result = embed_into(temp / "store", dataset, {.batch_size = 3});
  EXPECT_EQ(result.added, 18);
  EXPECT_EQ(result.bad_count, 2);
  EXPECT_NE(result.bad.at(0).find("memory#3"), std::string::npos);
  const FeatureStore store(temp / "store");
  ASSERT_EQ(store.size(), 18);
  FakeBackbone backbone(4);
  backbone.eval();
  const torch::NoGradGuard no_grad;
  std::int64_t row = 0;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    if (i == 3 || i == 11) continue;
    const auto prepared = data::prepare(dataset.load(i), kNative, 4);
    const auto features = backbone.forward_features(
        torch::tensor(prepared.pixels).view({1, 1, prepared.height, prepared.width}));
    const auto equal = [&](const torch::Tensor& expected, Feature feature) {
      EXPECT_TRUE(torch::equal(expected.flatten(), torch::tensor(store.values(feature, row))));
    };
    equal(features.cls, Feature::Cls);
    equal(features.patches.mean(1), Feature::Mean);
    equal(features.patches, Feature::Patches);
    const StoreRow& about = store.rows()[static_cast<std::size_t>(row)];
    EXPECT_EQ(about.path, dataset.name(i));
    EXPECT_EQ(about.label, i % 3);
    EXPECT_EQ(about.width, dataset.load(i).width);
    EXPECT_EQ(about.grid_height, features.grid_height);
    EXPECT_EQ(about.grid_width, features.grid_width);
    ++row;
  }
}

/** A list may name an image twice, with a label each: both rows are kept, also by a second run. */
TEST(EmbedImages, AnImageThatIsListedTwiceHasTwoRows) {
  const test::TempDir temp;
  const auto base = mixed(6);
  const auto twice = data::subset(base, {0, 1, 0, 3, 3, 1, 0});  // 3 cannot be read
  for (const int run : {0, 1}) {
    const auto result = embed_into(temp / "store", *twice, {.batch_size = 2});
    EXPECT_EQ(result.added, run == 0 ? 5 : 0);
    const FeatureStore store(temp / "store");
    ASSERT_EQ(store.size(), 5);
    EXPECT_EQ(store.bad_count(), 1);
    EXPECT_EQ(store.rows()[2].path, store.rows()[0].path);
    EXPECT_EQ(store.values(Feature::Cls, 2), store.values(Feature::Cls, 0));
  }
  const auto more = data::subset(base, {0, 0, 0, 0, 2});
  EXPECT_EQ(embed_into(temp / "store", *more, {}).added, 2) << "a fourth row of 0, and 2";
}

TEST(EmbedImages, ThreadsAndBatchesChangeNothing) {
  const test::TempDir temp;
  embed_into(temp / "expected", mixed(), {});
  const auto expected = contents(temp / "expected");
  for (const int threads : {1, 3})
    for (const int batch : {1, 4}) {
      const auto folder = temp / fmt::format("{}-{}", threads, batch);
      embed_into(folder, mixed(), {.batch_size = batch, .threads = threads, .commit_seconds = 0});
      EXPECT_EQ(contents(folder), expected);
    }
}

TEST(EmbedImages, StoppedAndGoneOnIsAsIfUndisturbed) {
  const test::TempDir temp;
  embed_into(temp / "expected", mixed(), {.batch_size = 2});
  std::stop_source source;
  const auto first = embed_into(temp / "store", mixed(),
                                {.batch_size = 2,
                                 .progress = [&](auto, auto) { source.request_stop(); },
                                 .stop = source.get_token()});
  EXPECT_TRUE(first.stopped);
  EXPECT_EQ(first.added, 7);  // a stretch of four batches, one image of which is bad
  const auto second = embed_into(temp / "store", mixed(), {.batch_size = 2});
  EXPECT_EQ(second.known, 8);
  EXPECT_EQ(second.added, 11);
  EXPECT_EQ(contents(temp / "store"), contents(temp / "expected"));
}

TEST(EmbedImages, DiedWithinAStretchAndGoneOnIsAsIfUndisturbed) {
  const test::TempDir temp;
  embed_into(temp / "expected", mixed(), {.batch_size = 2});
  for (const int die_at : {5, 9, 10, 11, 12, 20}) {
    const auto folder = temp / std::to_string(die_at);
    auto options = memory_options();
    int steps = 0;
    options.on_step = [&](std::string_view) {
      if (++steps == die_at) throw std::runtime_error("died");
    };
    EXPECT_THROW(
        embed_into(folder, mixed(), {.batch_size = 2, .commit_seconds = 0}, std::move(options)),
        std::runtime_error);
    embed_into(folder, mixed(), {.batch_size = 2});
    EXPECT_EQ(contents(folder), contents(temp / "expected")) << die_at;
  }
}

TEST(EmbedImages, AddsOnlyWhatIsMissing) {
  const test::TempDir temp;
  embed_into(temp / "store", mixed(12), {});
  const auto result = embed_into(temp / "store", mixed(20), {});
  EXPECT_EQ(result.known, 12);
  EXPECT_EQ(result.added, 8);
  EXPECT_EQ(embed_into(temp / "store", mixed(20), {}).added, 0);
  embed_into(temp / "whole", mixed(20), {});
  EXPECT_EQ(contents(temp / "store"), contents(temp / "whole"));  // the fake does not round
}

/** A network that gives NaN for images of 16 px and stops amid a pass when asked to. */
class UnsoundBackbone : public FakeBackbone {
 public:
  using FakeBackbone::FakeBackbone;
  std::function<void()> within_pass = [] {};
  model::Features forward_features(const torch::Tensor& images) override {
    model::Features features = FakeBackbone::forward_features(images);
    within_pass();
    stop_if_asked();
    if (images.size(3) == 16) features.patches = features.patches / 0.0 * 0.0;
    return features;
  }
};

TEST(EmbedImages, FeaturesThatAreNotFiniteNeverReachTheStore) {
  const test::TempDir temp;
  UnsoundBackbone backbone(4);
  FeatureStoreWriter writer(temp / "store", header(), memory_options());
  const auto result = embed_images(backbone, mixed(), kNative, writer, {.batch_size = 3});
  EXPECT_EQ(result.not_finite, 5);  // a third of twenty is 16 px wide, one of them unreadable
  EXPECT_EQ(result.bad_count, 2 + 5);
  EXPECT_EQ(result.added, 13);
  const FeatureStore store(temp / "store");
  ASSERT_EQ(store.size(), 13);
  EXPECT_EQ(store.bad_count(), 7);
  for (std::int64_t row = 0; row < store.size(); ++row)
    for (const Feature feature : {Feature::Cls, Feature::Mean, Feature::Patches})
      for (const float value : store.values(feature, row)) ASSERT_TRUE(std::isfinite(value));
  EXPECT_NE(read_text_file(temp / "store" / "bad.jsonl").find("not finite"), std::string::npos);
}

TEST(EmbedImages, StoppedAmidAPassKeepsWhatWasDone) {
  const test::TempDir temp;
  embed_into(temp / "expected", mixed(), {.batch_size = 2});
  std::stop_source source;
  UnsoundBackbone backbone(4);
  int passes = 0;
  backbone.within_pass = [&] {
    if (++passes == 7) source.request_stop();  // in the second stretch
  };
  {
    FeatureStoreWriter writer(temp / "store", header(), memory_options());
    const auto result = embed_images(backbone, mixed(), kNative, writer,
                                     {.batch_size = 2, .stop = source.get_token()});
    EXPECT_TRUE(result.stopped);
    EXPECT_EQ(result.added + result.bad_count, 8) << "the stretch before";
  }
  backbone.within_pass = [] {};
  FeatureStoreWriter writer(temp / "store", header(), memory_options());
  const auto rest = embed_images(backbone, mixed(), kNative, writer, {.batch_size = 2});
  EXPECT_FALSE(rest.stopped) << "the backbone keeps no stop of a run before";
  EXPECT_EQ(rest.known, 8);
}

TEST(EmbedImages, NothingReadableIsAnError) {
  const test::TempDir temp;
  try {
    embed_into(temp / "store", MemoryDataset({image::Image{}, image::Image{}}), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
    EXPECT_NE(std::string(error.what()).find("memory#0"), std::string::npos);
  }
}

TEST(EmbedImages, CountsImagesThatDoNotDivideIntoPatches) {
  const test::TempDir temp;
  const auto result =
      embed_into(temp / "store", MemoryDataset({picture(8, 8, 1), picture(9, 8, 1)}), {},
                 {.source = "memory"});
  EXPECT_EQ(result.added, 1);
  EXPECT_NE(result.bad.at(0).find("patches of 4 px"), std::string::npos) << result.bad.at(0);
}

TEST(ImageStretches, PutEqualSizesTogetherAndKeepTheOrder) {
  const auto dataset = mixed();
  std::vector<std::int64_t> order(20), seen;
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(19 - i);
  std::size_t batches = 0;
  for_each_stretch(
      dataset, order, kNative, {.batch_size = 4, .patch_size = 4}, [&](ImageStretch& stretch) {
        seen.insert(seen.end(), stretch.indices.begin(), stretch.indices.end());
        batches += stretch.batches.size();
        for (const ImageBatch& batch : stretch.batches)
          for (const std::int64_t row : batch.rows)
            EXPECT_EQ(batch.images.size(3),
                      dataset.load(stretch.indices[static_cast<std::size_t>(row)]).width);
        return true;
      });
  std::erase_if(order, [](std::int64_t i) { return i == 3 || i == 11; });
  EXPECT_EQ(seen, order);
  EXPECT_LT(batches, 12U);  // of 18 images in six sizes
}

TEST(WeightsHash, IsOfNamesShapesAndValues) {
  torch::nn::Linear one(3, 2), two(3, 2);
  const torch::NoGradGuard no_grad;
  two->weight.copy_(one->weight);
  two->bias.copy_(one->bias);
  EXPECT_EQ(weights_hash(*one), weights_hash(*two));
  two->bias[1] += 1e-6F;
  EXPECT_NE(weights_hash(*one), weights_hash(*two));
  EXPECT_EQ(weights_hash(*one).size(), 32U);
}

}  // namespace
}  // namespace dino::embed
