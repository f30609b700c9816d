// Graphs of tiny networks of every option: libonnx accepts them, sizes stay free, and what is
// stored is what the weights hold. What they compute is tested in tests/model/onnx_check_test.cpp.
#include "dino/onnx/export.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "dino/format/floats.h"
#include "dino/onnx/file.h"
#include "tests/onnx/fake_weights.h"
#include "tests/temp_dir.h"

namespace dino::onnx {
namespace {

const auto kNoCheck = [](const Graph&) {};

class ExportTest : public testing::TestWithParam<arch::Network> {
 protected:
  weights::Weights weights_ = test::fake_weights(GetParam());
  test::TempDir folder_;
};

TEST_P(ExportTest, IsAcceptedAndKeepsItsSizesFree) {
  const arch::Architecture& a = GetParam().architecture;
  write(folder_ / "model.onnx", make_graph(weights_), kNoCheck);
  const Graph graph = read(folder_ / "model.onnx");
  ASSERT_EQ(graph.inputs.size(), 1u);
  EXPECT_EQ(graph.inputs[0].name, "images");
  EXPECT_EQ(graph.inputs[0].shape,
            (std::vector<Dimension>{"batch", std::int64_t{a.channels}, "height", "width"}));
  const bool registers = a.family == arch::Family::Vit && a.vit.registers > 0;
  ASSERT_EQ(graph.outputs.size(), registers ? 3u : 2u);
  EXPECT_EQ(graph.outputs[0].shape, (std::vector<Dimension>{"batch", a.dim()}));
  EXPECT_EQ(graph.outputs[1].shape, (std::vector<Dimension>{"batch", "patches", a.dim()}));
  if (registers) {
    EXPECT_EQ(graph.outputs[2].shape, (std::vector<Dimension>{"batch", a.vit.registers, a.dim()}));
  }
  EXPECT_EQ(arch::network_from_json(graph.metadata.at("dino"), "test"), GetParam());
}

TEST_P(ExportTest, MakesEveryValueOnceAndBeforeItsUse) {
  const Graph graph = make_graph(weights_);
  std::set<Value> known = {"images"}, used;
  for (const Constant& constant : graph.constants) EXPECT_TRUE(known.insert(constant.name).second);
  for (const Node& node : graph.nodes) {
    for (const Value& value : node.inputs) {
      EXPECT_TRUE(known.contains(value)) << value;
      used.insert(value);
    }
    for (const Value& value : node.outputs) EXPECT_TRUE(known.insert(value).second) << value;
  }
  for (const Constant& constant : graph.constants)
    EXPECT_TRUE(used.contains(constant.name)) << constant.name;
}

TEST_P(ExportTest, HalvesAreCastWhereTheyAreUsed) {
  const Graph graph = make_graph(weights_, Storage::Fp16);
  write(folder_ / "model.onnx", graph, kNoCheck);
  EXPECT_LT(constant_bytes(graph), constant_bytes(make_graph(weights_)) * 7 / 10);
  std::set<Value> cast;
  for (const Node& node : graph.nodes)
    if (node.op == "Cast") cast.insert(node.inputs[0]);
  for (const Constant& constant : graph.constants)
    EXPECT_EQ(cast.contains(constant.name), constant.dtype == format::DType::F16) << constant.name;
}

INSTANTIATE_TEST_SUITE_P(Tiny, ExportTest, testing::ValuesIn(test::tiny_networks()),
                         [](const auto& test) { return test.param.architecture.name; });

std::vector<float> floats_of(const Graph& graph, const std::string& name) {
  for (const Constant& constant : graph.constants) {
    if (constant.name != name) continue;
    std::vector<float> values(static_cast<std::size_t>(format::element_count(constant.shape)));
    constant.fill(std::as_writable_bytes(std::span(values)));
    return values;
  }
  ADD_FAILURE() << "no constant " << name;
  return {};
}

arch::Network network_called(std::string_view name) {
  for (const arch::Network& network : test::tiny_networks())
    if (network.architecture.name == name) return network;
  throw std::out_of_range(std::string(name));
}

TEST(Export, LinearLayersAreTransposedAndScaled) {
  const weights::Weights weights = test::fake_weights(network_called("vit_rope"));
  const Graph graph = make_graph(weights);
  const auto stored = [&](std::string_view name) {
    for (const auto& tensor : weights.tensors)
      if (tensor.name == name) return format::to_floats(tensor);
    throw std::out_of_range(std::string(name));
  };
  constexpr std::size_t kDim = 32;
  const auto qkv = stored("blocks.0.attn.qkv.weight"), proj = stored("blocks.0.attn.proj.weight"),
             gain = stored("blocks.0.ls1.gamma");
  const auto q = floats_of(graph, "blocks.0.attn.q.weight"),
             k = floats_of(graph, "blocks.0.attn.k.weight"),
             out = floats_of(graph, "blocks.0.attn.proj.weight");
  for (std::size_t in = 0; in < kDim; ++in)
    for (std::size_t row = 0; row < kDim; ++row) {
      ASSERT_EQ(q[in * kDim + row], qkv[row * kDim + in] / 4);  // 1 / sqrt(16)
      ASSERT_EQ(k[in * kDim + row], qkv[(kDim + row) * kDim + in]);
      ASSERT_FLOAT_EQ(out[in * kDim + row], proj[row * kDim + in] * gain[row]);
    }
  for (const Constant& constant : graph.constants)
    EXPECT_NE(constant.name, "blocks.0.attn.k.bias");  // masked
}

}  // namespace
}  // namespace dino::onnx
