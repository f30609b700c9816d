#include "dino/onnx/layers.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace dino::onnx {

Value linear(GraphBuilder& g, const Value& x, const std::string& name, Rows rows, bool bias) {
  // A gain makes weights small, which fp16 cannot hold well: there it stays a node of its own.
  const std::string gain = g.storage() == Storage::Fp16 ? std::exchange(rows.gain, {}) : "";
  const std::string label = rows.label.empty() ? name : rows.label;
  rows.label = label + ".weight";
  Value y = g.node("MatMul", {x, g.matrix(name + ".weight", rows)});
  rows.label = label + ".bias";
  if (bias) y = g.node("Add", {y, g.vector(name + ".bias", rows)});
  return gain.empty() ? y : g.node("Mul", {y, g.weight(gain)});
}

Value layer_norm(GraphBuilder& g, const Value& x, const std::string& name, double eps) {
  return g.node("LayerNormalization", {x, g.weight(name + ".weight"), g.weight(name + ".bias")},
                {{"axis", std::int64_t{-1}}, {"epsilon", static_cast<float>(eps)}});
}

Value gelu(GraphBuilder& g, const Value& x) {
  const Value scaled = g.node("Div", {x, g.number(std::numbers::sqrt2_v<float>)});
  const Value share = g.node("Add", {g.node("Erf", {scaled}), g.number(1)});
  return g.node("Mul", {g.node("Mul", {x, share}), g.number(0.5)});
}

Value split_heads(GraphBuilder& g, const Value& x, std::int64_t heads, std::int64_t dim,
                  bool transposed) {
  const Value split = g.node("Reshape", {x, g.integers({0, 0, heads, dim / heads})});
  return g.node("Transpose", {split},
                {{"perm", transposed ? Shape{0, 2, 3, 1} : Shape{0, 2, 1, 3}}});
}

Value join_heads(GraphBuilder& g, const Value& x, std::int64_t dim) {
  const Value rows = g.node("Transpose", {x}, {{"perm", Shape{0, 2, 1, 3}}});
  return g.node("Reshape", {rows, g.integers({0, 0, dim})});
}

Value attend(GraphBuilder& g, const Value& query, const Value& key, const Value& value) {
  const Value weights =
      g.node("Softmax", {g.node("MatMul", {query, key})}, {{"axis", std::int64_t{-1}}});
  return g.node("MatMul", {weights, value});
}

Value convolve(GraphBuilder& g, const Value& x, const std::string& name, const Convolution& o) {
  const Shape& filters = g.shape_of(name + ".weight");
  std::vector<Value> inputs = {x, g.weight(name + ".weight")};
  if (o.bias) inputs.push_back(g.weight(name + ".bias"));
  return g.node("Conv", inputs,
                {{"kernel_shape", Shape{filters[2], filters[3]}},
                 {"strides", Shape{o.stride, o.stride}},
                 {"pads", Shape{o.padding, o.padding, o.padding, o.padding}},
                 {"group", o.groups}});
}

Value batch_norm(GraphBuilder& g, const Value& x, const std::string& name) {
  constexpr float kEps = 1e-5f;
  return g.node("BatchNormalization",
                {x, g.weight(name + ".weight"), g.weight(name + ".bias"),
                 g.weight(name + ".running_mean"), g.weight(name + ".running_var")},
                {{"epsilon", kEps}});
}

Value map_to_tokens(GraphBuilder& g, const Value& map) {
  const Value rows = g.node("Reshape", {map, g.integers({0, 0, -1})});  // [B, C, H * W]
  return g.node("Transpose", {rows}, {{"perm", Shape{0, 2, 1}}});
}

Value size_of(GraphBuilder& g, const Value& x, std::int64_t axis) {
  return g.node("Gather", {g.node("Shape", {x}), g.integer(axis)}, {{"axis", std::int64_t{0}}});
}

Value slice(GraphBuilder& g, const Value& x, std::int64_t axis, std::int64_t first,
            std::int64_t last) {
  return g.node("Slice", {x, g.integers({first}), g.integers({last}), g.integers({axis})});
}

Value for_each_image(GraphBuilder& g, const Value& token, const Value& x) {
  const Value batch = slice(g, g.node("Shape", {x}), 0, 0, 1);
  const Value shape = g.node("Concat", {batch, g.integers({1, 1})}, {{"axis", std::int64_t{0}}});
  return g.node("Expand", {token, shape});
}

}  // namespace dino::onnx
