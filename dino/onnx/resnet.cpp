// ResNet-50 by its running statistics; the plain form is dino/model/resnet.cpp.
#include <array>

#include "dino/base/error.h"
#include "dino/onnx/families.h"
#include "dino/onnx/layers.h"

namespace dino::onnx {
namespace {

Value relu(GraphBuilder& g, const Value& x) {
  return g.node("Relu", {x});
}

Value bottleneck(GraphBuilder& g, const Value& x, const std::string& name, std::int64_t stride,
                 bool downsample) {
  const auto convolution = [&](const Value& in, const char* layer, std::int64_t step,
                               std::int64_t padding) {
    return convolve(g, in, name + layer, {.stride = step, .padding = padding, .bias = false});
  };
  Value y = relu(g, batch_norm(g, convolution(x, "conv1", 1, 0), name + "bn1"));
  y = relu(g, batch_norm(g, convolution(y, "conv2", stride, 1), name + "bn2"));
  y = batch_norm(g, convolution(y, "conv3", 1, 0), name + "bn3");
  const Value shortcut =
      downsample ? batch_norm(g, convolution(x, "downsample.0", stride, 0), name + "downsample.1")
                 : x;
  return relu(g, g.node("Add", {y, shortcut}));
}

}  // namespace

NetworkOutputs add_resnet50(GraphBuilder& g, const Value& images) {
  constexpr std::array<int, 4> kBlocks = {3, 4, 6, 3};
  g.scope("stem");
  Value x = convolve(g, images, "conv1", {.stride = 2, .padding = 3, .bias = false});
  x = relu(g, batch_norm(g, x, "bn1"));
  x = g.node(
      "MaxPool", {x},
      {{"kernel_shape", Shape{3, 3}}, {"strides", Shape{2, 2}}, {"pads", Shape{1, 1, 1, 1}}});
  for (std::size_t stage = 0; stage < kBlocks.size(); ++stage)
    for (int i = 0; i < kBlocks[stage]; ++i) {
      const std::string block = fmt::format("layer{}.{}", stage + 1, i);
      g.scope(block);
      x = bottleneck(g, x, block + ".", stage > 0 && i == 0 ? 2 : 1, i == 0);
    }
  g.scope("features");
  const Value mean =
      g.node("ReduceMean", {x}, {{"axes", Shape{2, 3}}, {"keepdims", std::int64_t{0}}});
  return {mean, map_to_tokens(g, x), {}};
}

}  // namespace dino::onnx
