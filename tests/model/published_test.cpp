// Published backbones under their libraries' own names against those libraries: tests/golden/
// weights/make.py lists the tensors and stores what transformers, timm and the package dinov2
// compute with synthetic weights in float64. Each case is written to a file as it would be
// published, read back by what it holds, and run.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <string>

#include "dino/base/json.h"
#include "dino/cpu/bf16_rule.h"
#include "dino/format/safetensors.h"
#include "dino/model/backbone_file.h"
#include "dino/model/tensor_bridge.h"
#include "dino/model/vit.h"
#include "tests/golden/synthetic_weights.h"
#include "tests/kernel_sets.h"
#include "tests/temp_dir.h"

namespace dino::model {
namespace {

using torch::indexing::None;
using torch::indexing::Slice;

constexpr double kPublishedTolerance =
    1e-5;  // of the features' norm: fp32 rounding over the blocks

/** The file the library would publish, in `folder`. */
std::filesystem::path publish(const nlohmann::json& golden, const std::filesystem::path& folder) {
  std::vector<torch::Tensor> alive;
  std::vector<format::TensorRecord> records;
  for (const auto& [name, shape] : golden["tensors"].items()) {
    const auto sizes = shape.get<std::vector<std::int64_t>>();
    alive.push_back(golden::parameter(name, sizes, golden["gain"].get<double>()));
    records.push_back(to_record(name, alive.back()));
  }
  const auto path = folder / "model.safetensors";
  format::write_safetensors(path, records, {{"format", "pt"}});
  if (!golden["config"].empty()) write_json_file(folder / "config.json", golden["config"]);
  return path;
}

/** Largest difference over the expected rows' norm. */
double relative_error(const torch::Tensor& actual, const nlohmann::json& expected) {
  const auto values = expected.get<std::vector<double>>();
  const torch::Tensor want = torch::tensor(values, torch::kFloat64);
  EXPECT_EQ(actual.numel(), want.numel());
  if (actual.numel() != want.numel()) return 1;
  const torch::Tensor got = actual.reshape({-1}).to(torch::kFloat64);
  const double norm = want.norm().item<double>() / std::sqrt(static_cast<double>(want.numel()) /
                                                             static_cast<double>(actual.size(-1)));
  return (got - want).abs().max().item<double>() / norm;
}

/** The parameter is a golden's name. */
class PublishedTest : public testing::TestWithParam<std::string> {
 protected:
  PublishedTest()
      : golden_(read_json_file(std::filesystem::path(DINO_SOURCE_DIR) / "tests/golden/weights" /
                               (GetParam() + ".json"))),
        path_(publish(golden_, temp_.path())) {}

  std::shared_ptr<Backbone> load(bool fused, Precision precision = Precision::Fp32) {
    const auto backbone = make_backbone(weights::read(path_));
    std::dynamic_pointer_cast<VisionTransformer>(backbone)->set_fused(fused);
    backbone->set_precision(precision);
    return backbone;
  }
  torch::Tensor images(const std::string& size) const {
    const std::size_t x = size.find('x');
    return golden::image(
        "image", {golden_["batch"].get<std::int64_t>(), golden_["channels"].get<std::int64_t>(),
                  std::stoll(size.substr(0, x)), std::stoll(size.substr(x + 1))});
  }

  test::TempDir temp_;
  nlohmann::json golden_;
  std::filesystem::path path_;
};

torch::Tensor tokens(const torch::Tensor& x) {
  return x.index({Slice(), Slice(0, None, 13), Slice(0, 24)});
}

TEST_P(PublishedTest, FeaturesEqualTheLibrarys) {
  for (const bool fused : {false, true}) {
    const auto backbone = load(fused);
    for (const auto& [size, expected] : golden_["sizes"].items()) {
      SCOPED_TRACE(size + (fused ? " packed" : " composed"));
      const auto features = backbone->forward_features(images(size));
      EXPECT_LE(relative_error(features.cls.index({Slice(), Slice(0, 24)}), expected["cls"]),
                kPublishedTolerance);
      EXPECT_LE(relative_error(tokens(features.patches), expected["patches"]), kPublishedTolerance);
      if (expected.contains("registers")) {
        EXPECT_LE(relative_error(tokens(features.registers), expected["registers"]),
                  kPublishedTolerance);
      }
      if (expected.contains("block0_cls")) {
        const auto inner = backbone->layers(images(size), {0}, true)[0];
        EXPECT_LE(relative_error(inner.cls.index({Slice(), Slice(0, 24)}), expected["block0_cls"]),
                  kPublishedTolerance);
        EXPECT_LE(relative_error(tokens(inner.patches), expected["block0_patches"]),
                  kPublishedTolerance);
      }
      const auto cls = backbone->forward_groups({{images(size), {}}}, Tokens::Cls)[0].cls.detach();
      EXPECT_LE(relative_error(cls.index({Slice(), Slice(0, 24)}), expected["cls"]),
                kPublishedTolerance);
    }
  }
}

/** Libraries that show it. */
class PublishedAttentionTest : public PublishedTest {};

TEST_P(PublishedAttentionTest, EqualsTheLibrarys) {
  const auto backbone = load(true);
  for (const auto& [size, expected] : golden_["sizes"].items()) {
    const auto rows = backbone->attention(images(size), -1, AttentionRows::Prefix);
    const torch::Tensor got = rows.select(2, 0).index({Slice(), Slice(), Slice(0, None, 13)});
    const torch::Tensor want =
        torch::tensor(expected["attention"].get<std::vector<double>>(), torch::kFloat64);
    EXPECT_LE((got.reshape({-1}) - want).abs().max().item<double>(), 1e-5) << size;
  }
}

/** Rounded products change the features, by a few roundings: bf16 keeps 8 bits of a number, a byte
 * of int8 at most 7, in every product of every block. */
class RoundingTest : public PublishedTest {};

TEST_P(RoundingTest, LowersNothingMuch) {
  const cpu::ProcessorForTesting zen4({.avx512_bf16 = true, .amd = true});
  const auto size = golden_["sizes"].begin().key();
  const auto exact = load(true)->forward_features(images(size));
  const auto error = [](const torch::Tensor& a, const torch::Tensor& b) {
    return ((a - b).norm() / b.norm()).item<double>();
  };
  test::on_every_kernel_set([&] {
    for (const auto& [precision, most] :
         {std::pair(Precision::Bf16, 0.006), {Precision::Int8, 0.02}}) {
      const auto backbone = load(true, precision);
      const auto rounded = backbone->forward_features(images(size));
      for (const auto& [found, wanted] :
           {std::pair(rounded.cls, exact.cls), {rounded.patches, exact.patches}}) {
        EXPECT_LE(error(found, wanted), most) << name_of(precision);
        EXPECT_EQ(error(found, wanted) > most / 20, backbone->computed().precision == precision)
            << name_of(precision);
      }
    }
  });
}

/** transformers' DINOv2 without registers, at a size whose positions are resampled. */
class PositionsTest : public PublishedTest {};

TEST_P(PositionsTest, AreTransformersOwnUnlessThePapersAreAskedFor) {
  const auto cls_error = [&](const std::string& size, const weights::ReadOptions& options) {
    const auto backbone = make_backbone(weights::read(path_, options));
    const auto cls = backbone->forward_features(images(size)).cls.index({Slice(), Slice(0, 24)});
    return relative_error(cls, golden_["sizes"][size]["cls"]);
  };
  const weights::ReadOptions papers{
      .network = "teacher", .arch = "", .positions = arch::Positions::LearnedOffset};
  EXPECT_LE(cls_error("224x224", {}), kPublishedTolerance);
  EXPECT_GE(cls_error("224x224", papers), 100 * kPublishedTolerance);
  EXPECT_LE(cls_error("518x518", papers), kPublishedTolerance);  // the table's own size
}

const auto kTransformers =
    testing::Values("hf_v1", "hf_v2", "hf_v2_reg", "hf_v3", "hf_v3_gated", "hf_v3_7b");
const auto kItself = [](const auto& golden) { return golden.param; };
INSTANTIATE_TEST_SUITE_P(Transformers, PublishedTest, kTransformers, kItself);
INSTANTIATE_TEST_SUITE_P(Transformers, PublishedAttentionTest, kTransformers, kItself);
INSTANTIATE_TEST_SUITE_P(Transformers, PositionsTest, testing::Values("hf_v2"), kItself);
const auto kTimm =
    testing::Values("timm_v1", "timm_v2_giant", "timm_v2_reg", "timm_v3", "timm_v3_plus_qkvb");
const auto kOfficial = testing::Values("official_v2", "official_v2_native");
INSTANTIATE_TEST_SUITE_P(Timm, PublishedTest, kTimm, kItself);
INSTANTIATE_TEST_SUITE_P(Official, PublishedTest, kOfficial, kItself);
INSTANTIATE_TEST_SUITE_P(Transformers, RoundingTest, kTransformers, kItself);
INSTANTIATE_TEST_SUITE_P(Timm, RoundingTest, kTimm, kItself);
INSTANTIATE_TEST_SUITE_P(Official, RoundingTest, kOfficial, kItself);
INSTANTIATE_TEST_SUITE_P(GiantSlow, PublishedTest, testing::Values("hf_v2_giant"), kItself);

}  // namespace
}  // namespace dino::model
