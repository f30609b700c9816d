// What exported graphs compute: the same as our networks, at any size; and that a graph which does
// not is noticed.
#include "dino/model/onnx_check.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "dino/base/error.h"
#include "dino/model/backbone_file.h"
#include "dino/model/onnx_evaluator.h"
#include "dino/onnx/export.h"
#include "dino/onnx/file.h"
#include "tests/onnx/fake_weights.h"
#include "tests/temp_dir.h"

namespace dino::model {
namespace {

class OnnxCheckTest : public testing::TestWithParam<arch::Network> {
 protected:
  weights::Weights weights_ = test::fake_weights(GetParam());
  std::shared_ptr<Backbone> backbone_ = make_backbone(weights_);
};

TEST_P(OnnxCheckTest, ComputesWhatTheNetworkDoes) {
  const OnnxAgreement fp32 = compare(onnx::make_graph(weights_), *backbone_, GetParam());
  EXPECT_GT(fp32.cosine, 1 - 1e-6);
  EXPECT_LT(fp32.difference, 1e-4);
  const OnnxAgreement fp16 =
      compare(onnx::make_graph(weights_, onnx::Storage::Fp16), *backbone_, GetParam());
  EXPECT_TRUE(fp16.good()) << fp16.cosine;
}

TEST_P(OnnxCheckTest, AtAnySize) {
  const onnx::Graph graph = onnx::make_graph(weights_);
  using Size = std::pair<std::int64_t, std::int64_t>;
  // The position table's grid; the same of an image that is not square; fewer, more, elongated.
  for (const auto& [height, width] :
       {Size{64, 64}, Size{64, 71}, Size{40, 40}, Size{96, 128}, Size{33, 160}, Size{130, 47}}) {
    const torch::Tensor images = probe_images(3, GetParam().architecture.channels, height, width);
    const Features ours = backbone_->forward_features(images);
    auto outputs = evaluate(graph, {{"images", images}});
    EXPECT_LT((outputs["cls"] - ours.cls).abs().max().item<double>(), 1e-4)
        << height << "x" << width;
    EXPECT_LT((outputs["patches"] - ours.patches).abs().max().item<double>(), 1e-4)
        << height << "x" << width;
  }
}

TEST_P(OnnxCheckTest, NoticesAWrongNumber) {
  onnx::Graph graph = onnx::make_graph(weights_);
  for (onnx::Constant& constant : graph.constants) {
    if (!constant.name.ends_with("qkv.weight") && constant.name != "blocks.0.attn.v.weight" &&
        constant.name != "stages.0.0.dwconv.weight")
      continue;
    constant.fill = [fill = constant.fill](std::span<std::byte> out) {
      fill(out);
      std::fill_n(out.begin(), out.size() / 2, std::byte{0});
    };
  }
  EXPECT_FALSE(compare(graph, *backbone_, GetParam()).good());
}

INSTANTIATE_TEST_SUITE_P(Tiny, OnnxCheckTest, testing::ValuesIn(test::tiny_networks()),
                         [](const auto& test) { return test.param.architecture.name; });

TEST(OnnxCheckSlow, ResNet50) {
  arch::Network network;
  network.architecture.family = arch::Family::ResNet50;
  const weights::Weights weights = test::fake_weights(network);
  const test::TempDir folder;
  onnx::write(folder / "m.onnx", onnx::make_graph(weights), [&](const onnx::Graph& graph) {
    EXPECT_TRUE(compare(graph, *make_backbone(weights), network).good());
  });
}

TEST(OnnxCheck, NothingIsGoodThatIsNotANumber) {
  const double nan = std::nan("");
  EXPECT_TRUE((OnnxAgreement{0.99995, 0.001}).good());
  EXPECT_FALSE((OnnxAgreement{nan, 0}).good());
  EXPECT_FALSE((OnnxAgreement{1, nan}).good());
  EXPECT_FALSE((OnnxAgreement{1, 0.5}).good());  // the right direction, twice as long
  EXPECT_FALSE((OnnxAgreement{0.9998, 0.001}).good());
}

TEST(OnnxEvaluator, NamesWhatItCannotDo) {
  const auto message_of = [](const onnx::Graph& graph) -> std::string {
    try {
      evaluate(graph, {{"x", torch::ones({2})}});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  onnx::Graph graph;
  graph.nodes = {{"Einsum", {"x"}, {"y"}, {}}};
  EXPECT_NE(message_of(graph).find("Einsum"), std::string::npos);
  graph.nodes = {{"Relu", {"z"}, {"y"}, {}}};
  EXPECT_NE(message_of(graph).find("takes z"), std::string::npos);
  graph.nodes = {{"Softmax", {"x"}, {"y"}, {}}};
  EXPECT_NE(message_of(graph).find("no attribute axis"), std::string::npos);
}

}  // namespace
}  // namespace dino::model
