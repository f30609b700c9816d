// Vision transformers of all three generations; the plain form is dino/model/encoder.cpp.
#include <climits>
#include <cmath>
#include <optional>

#include "dino/onnx/families.h"
#include "dino/onnx/layers.h"
#include "dino/onnx/positions.h"

namespace dino::onnx {
namespace {

/** CLS, registers and patches, with positions where they are learned: [B, N, D]. */
Value embed(GraphBuilder& g, const Value& images, Grid& grid) {
  const arch::Vit& v = g.architecture().vit;
  g.scope("patch_embed");
  // A stride without padding leaves the remainder right and below out, as the network does.
  const Value map = convolve(g, images, "patch_embed.proj", {.stride = v.patch_size});
  Value patches = map_to_tokens(g, map);  // [B, P, D]

  g.scope("positions");
  grid = {.height = size_of(g, map, 2),
          .width = size_of(g, map, 3),
          .image_height = size_of(g, images, 2),
          .image_width = size_of(g, images, 3)};
  Value cls = g.weight("cls_token");
  if (v.positions != arch::Positions::Rope) {
    patches = g.node("Add", {patches, learned_positions(g, grid)});
    cls = g.node("Add", {cls, g.part("pos_embed", 0, {1, 1, v.dim})});
  }
  g.scope("tokens");
  std::vector<Value> parts = {for_each_image(g, cls, images)};
  if (v.registers > 0) parts.push_back(for_each_image(g, g.weight("register_tokens"), images));
  parts.push_back(patches);
  return g.node("Concat", parts, {{"axis", std::int64_t{1}}});
}

Value attention(GraphBuilder& g, const Value& x, const std::string& name,
                const std::optional<RopeTable>& rope) {
  const arch::Vit& v = g.architecture().vit;
  // Three products instead of one, so that engines need not split the result. The scale is applied
  // to the queries.
  const auto third = [&](std::int64_t index, const char* letter, bool bias, double scale) {
    return linear(
        g, x, name + "attn.qkv",
        {.label = name + "attn." + letter, .first = index * v.dim, .count = v.dim, .scale = scale},
        bias);
  };
  const double scale = 1 / std::sqrt(static_cast<double>(v.dim / v.heads));
  const Value q = third(0, "q", v.qkv_bias, scale);
  const Value k = third(1, "k", v.qkv_bias && !v.mask_key_bias, 1);
  const Value value = split_heads(g, third(2, "v", v.qkv_bias, 1), v.heads, v.dim);
  Value query = split_heads(g, q, v.heads, v.dim);
  Value key = split_heads(g, k, v.heads, v.dim, /*transposed=*/!rope);
  if (rope) {
    query = apply_rope(g, query, *rope);
    key = g.node("Transpose", {apply_rope(g, key, *rope)}, {{"perm", Shape{0, 1, 3, 2}}});
  }
  return join_heads(g, attend(g, query, key, value), v.dim);
}

Value feed_forward(GraphBuilder& g, const Value& x, const std::string& name,
                   const std::string& gain) {
  if (g.architecture().vit.ffn == arch::Ffn::Mlp)
    return linear(g, gelu(g, linear(g, x, name + "fc1")), name + "fc2", {.gain = gain});
  const auto halves =
      g.node("Split", {linear(g, x, name + "w12")}, {{"axis", std::int64_t{-1}}}, 2);
  const Value silu = g.node("Mul", {halves[0], g.node("Sigmoid", {halves[0]})});
  return linear(g, g.node("Mul", {silu, halves[1]}), name + "w3", {.gain = gain});
}

Value block(GraphBuilder& g, Value x, std::int64_t index, const std::optional<RopeTable>& rope) {
  const arch::Vit& v = g.architecture().vit;
  const std::string name = "blocks." + std::to_string(index) + ".";
  const auto gain = [&](const char* of) { return v.layer_scale ? name + of + ".gamma" : ""; };
  g.scope(name + "attn");
  const Value attended = attention(g, layer_norm(g, x, name + "norm1", v.norm_eps), name, rope);
  x = g.node("Add", {x, linear(g, attended, name + "attn.proj", {.gain = gain("ls1")})});
  g.scope(name + "mlp");
  const Value normed = layer_norm(g, x, name + "norm2", v.norm_eps);
  return g.node("Add", {x, feed_forward(g, normed, name + "mlp.", gain("ls2"))});
}

}  // namespace

NetworkOutputs add_vit(GraphBuilder& g, const Value& images) {
  const arch::Vit& v = g.architecture().vit;
  const std::int64_t prefix = 1 + v.registers;
  Grid grid;
  Value x = embed(g, images, grid);
  std::optional<RopeTable> rope;
  if (v.positions == arch::Positions::Rope) {
    g.scope("rope");
    rope = rope_table(g, grid);
  }
  for (std::int64_t i = 0; i < v.depth; ++i) x = block(g, x, i, rope);

  g.scope("norm");
  Value front, patches;  // CLS and registers [B, 1 + R, D]; [B, P, D]
  if (v.untie_cls_and_patch_norms) {
    front = layer_norm(g, slice(g, x, 1, 0, prefix), "cls_norm", v.norm_eps);
    patches = layer_norm(g, slice(g, x, 1, prefix, INT64_MAX), "norm", v.norm_eps);
  } else {
    front = layer_norm(g, x, "norm", v.norm_eps);
    patches = slice(g, front, 1, prefix, INT64_MAX);
  }
  NetworkOutputs outputs;
  outputs.cls = g.node("Gather", {front, g.integer(0)}, {{"axis", std::int64_t{1}}});
  outputs.patches = patches;
  if (v.registers > 0) outputs.registers = slice(g, front, 1, 1, prefix);
  return outputs;
}

}  // namespace dino::onnx
