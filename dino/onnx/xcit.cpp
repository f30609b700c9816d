// XCiT; the plain form, with the reasons for its oddities, is dino/model/xcit.cpp.
#include <climits>
#include <cmath>
#include <numbers>

#include "dino/base/error.h"
#include "dino/onnx/families.h"
#include "dino/onnx/layers.h"

namespace dino::onnx {
namespace {

constexpr double kNormEps = 1e-6;
constexpr std::int64_t kPositionFeatures = 32;  // of each axis: sines and cosines

struct Map {
  Value tokens;         ///< [B, P, D]
  Value height, width;  ///< cells: int64 of one element
};

/** Sines and cosines of 1 to n as angles up to 2 pi: [n, 32]. */
Value axis_features(GraphBuilder& g, const Value& n) {
  const Value numbers = g.node(
      "Cast", {g.node("Range", {g.integer(1), g.node("Add", {n, g.integer(1)}), g.integer(1)})},
      {{"to", std::int64_t{1}}});
  const Value count =
      g.node("Add", {g.node("Cast", {n}, {{"to", std::int64_t{1}}}), g.number(1e-6f)});
  const Value angle =
      g.node("Mul", {g.node("Div", {numbers, count}), g.number(2 * std::numbers::pi_v<float>)});
  std::vector<float> divisors;
  for (std::int64_t i = 0; i < kPositionFeatures; i += 2)
    divisors.push_back(static_cast<float>(
        std::pow(10000.0, static_cast<double>(i) / static_cast<double>(kPositionFeatures))));
  const Value phase = g.node("Div", {g.node("Unsqueeze", {angle, g.integers({1})}),
                                     g.floats(divisors, {1, kPositionFeatures / 2})});  // [n, 16]
  const Value two = g.integers({2});
  const Value pairs = g.node("Concat",
                             {g.node("Unsqueeze", {g.node("Sin", {phase}), two}),
                              g.node("Unsqueeze", {g.node("Cos", {phase}), two})},
                             {{"axis", std::int64_t{2}}});  // [n, 16, 2]
  return g.node("Reshape", {pairs, g.integers({0, kPositionFeatures})});
}

/** Rows, then columns, projected: [P, D]. */
Value positions(GraphBuilder& g, const Value& height, const Value& width) {
  const auto length = [&](const Value& n) { return g.node("Unsqueeze", {n, g.integers({0})}); };
  const Value full =
      g.node("Concat", {length(height), length(width), g.integers({kPositionFeatures})},
             {{"axis", std::int64_t{0}}});
  const Value y = g.node("Unsqueeze", {axis_features(g, height), g.integers({1})});
  const Value x = g.node("Unsqueeze", {axis_features(g, width), g.integers({0})});
  const Value both = g.node("Concat", {g.node("Expand", {y, full}), g.node("Expand", {x, full})},
                            {{"axis", std::int64_t{-1}}});  // [gh, gw, 64]
  const Value rows = g.node("Reshape", {both, g.integers({-1, 2 * kPositionFeatures})});
  return linear(g, rows, "pos_embeder.token_projection");
}

Map embed(GraphBuilder& g, const Value& images) {
  const arch::Xcit& o = g.architecture().xcit;
  g.scope("patch_embed");
  Value x = images;
  int step = 0;
  for (std::int64_t divisor = o.patch_size / 2; divisor >= 1; divisor /= 2, step += 2) {
    const std::string name = fmt::format("patch_embed.proj.{}.", step);
    if (step > 0) x = gelu(g, x);
    x = convolve(g, x, name + "0", {.stride = 2, .padding = 1, .bias = false});
    x = batch_norm(g, x, name + "1");
  }  // [B, D, gh, gw]
  g.scope("positions");
  const Value height = size_of(g, x, 2), width = size_of(g, x, 3);
  const Value tokens = g.node("Add", {map_to_tokens(g, x), positions(g, height, width)});
  return {tokens, g.node("Unsqueeze", {height, g.integers({0})}),
          g.node("Unsqueeze", {width, g.integers({0})})};
}

/** x / max(|x|, 1e-12) over the last axis. */
Value unit(GraphBuilder& g, const Value& x) {
  const Value norm = g.node("ReduceL2", {x}, {{"axes", Shape{-1}}, {"keepdims", std::int64_t{1}}});
  return g.node("Div", {x, g.node("Max", {norm, g.number(1e-12f)})});
}

Value third(GraphBuilder& g, const Value& x, const std::string& name, std::int64_t index,
            const char* letter, double scale = 1) {
  const std::int64_t dim = g.architecture().xcit.dim;
  return linear(
      g, x, name + "attn.qkv",
      {.label = name + "attn." + letter, .first = index * dim, .count = dim, .scale = scale});
}

Value feed_forward(GraphBuilder& g, const Value& x, const std::string& name) {
  return linear(g, gelu(g, linear(g, x, name + "mlp.fc1")), name + "mlp.fc2",
                {.gain = name + "gamma2"});
}

Value cross_covariance(GraphBuilder& g, const Value& x, const std::string& name) {
  const arch::Xcit& o = g.architecture().xcit;
  const auto heads = [&](std::int64_t index, const char* letter) {  // [B, h, d, P]
    return split_heads(g, third(g, x, name, index, letter), o.heads, o.dim, /*transposed=*/true);
  };
  const Value key =
      g.node("Transpose", {unit(g, heads(1, "k"))}, {{"perm", Shape{0, 1, 3, 2}}});  // [B, h, P, d]
  const Value cosine = g.node("MatMul", {unit(g, heads(0, "q")), key});
  const Value logits = g.node("Mul", {cosine, g.weight(name + "attn.temperature")});
  const Value mixed =
      g.node("MatMul", {g.node("Softmax", {logits}, {{"axis", std::int64_t{-1}}}), heads(2, "v")});
  const Value rows = g.node("Transpose", {mixed}, {{"perm", Shape{0, 3, 1, 2}}});  // [B, P, h, d]
  return linear(g, g.node("Reshape", {rows, g.integers({0, 0, o.dim})}), name + "attn.proj",
                {.gain = name + "gamma1"});
}

Value local_interaction(GraphBuilder& g, const Value& x, const Map& map, const std::string& name) {
  const std::int64_t dim = g.architecture().xcit.dim;
  const Value shape =
      g.node("Concat", {g.integers({0, dim}), map.height, map.width}, {{"axis", std::int64_t{0}}});
  const Value columns = g.node("Transpose", {x}, {{"perm", Shape{0, 2, 1}}});
  Value y = g.node("Reshape", {columns, shape});  // [B, D, gh, gw]
  y = gelu(g, convolve(g, y, name + "local_mp.conv1", {.padding = 1, .groups = dim}));
  y = batch_norm(g, y, name + "local_mp.bn");
  y = convolve(g, y, name + "local_mp.conv2", {.padding = 1, .groups = dim});
  return g.node("Mul", {map_to_tokens(g, y), g.weight(name + "gamma3")});
}

Value xca_block(GraphBuilder& g, Value x, const Map& map, std::int64_t index) {
  const std::string block = fmt::format("blocks.{}", index), name = block + ".";
  g.scope(block);
  const auto normed = [&](const char* norm) { return layer_norm(g, x, name + norm, kNormEps); };
  x = g.node("Add", {x, cross_covariance(g, normed("norm1"), name)});
  x = g.node("Add", {x, local_interaction(g, normed("norm3"), map, name)});
  return g.node("Add", {x, feed_forward(g, normed("norm2"), name)});
}

/** Only the class token attends and passes the MLP. */
Value class_block(GraphBuilder& g, const Value& x, std::int64_t index) {
  const arch::Xcit& o = g.architecture().xcit;
  const std::string block = fmt::format("cls_attn_blocks.{}", index), name = block + ".";
  g.scope(block);
  const Value normed = layer_norm(g, x, name + "norm1", kNormEps);
  const double scale = 1 / std::sqrt(static_cast<double>(o.dim / o.heads));
  const Value query = third(g, slice(g, normed, 1, 0, 1), name, 0, "q", scale);
  const Value attended =
      attend(g, split_heads(g, query, o.heads, o.dim),
             split_heads(g, third(g, normed, name, 1, "k"), o.heads, o.dim, /*transposed=*/true),
             split_heads(g, third(g, normed, name, 2, "v"), o.heads, o.dim));
  const Value cls = linear(g, join_heads(g, attended, o.dim), name + "attn.proj");
  const Value branch =
      g.node("Concat", {cls, slice(g, normed, 1, 1, INT64_MAX)}, {{"axis", std::int64_t{1}}});
  const Value gained = g.node("Mul", {branch, g.weight(name + "gamma1")});
  const Value y = layer_norm(g, g.node("Add", {x, gained}), name + "norm2", kNormEps);
  const Value front = slice(g, y, 1, 0, 1);
  const Value fed = g.node("Add", {front, feed_forward(g, front, name)});
  const Value rest = g.node("Mul", {slice(g, y, 1, 1, INT64_MAX), g.number(2)});
  return g.node("Concat", {fed, rest}, {{"axis", std::int64_t{1}}});
}

}  // namespace

NetworkOutputs add_xcit(GraphBuilder& g, const Value& images) {
  const arch::Xcit& o = g.architecture().xcit;
  const Map map = embed(g, images);
  Value x = map.tokens;
  for (std::int64_t i = 0; i < o.depth; ++i) x = xca_block(g, x, map, i);
  x = g.node("Concat", {for_each_image(g, g.weight("cls_token"), images), x},
             {{"axis", std::int64_t{1}}});
  for (std::int64_t i = 0; i < o.cls_depth; ++i) x = class_block(g, x, i);
  g.scope("norm");
  x = layer_norm(g, x, "norm", kNormEps);
  return {g.node("Gather", {x, g.integer(0)}, {{"axis", std::int64_t{1}}}),
          slice(g, x, 1, 1, INT64_MAX),
          {}};
}

}  // namespace dino::onnx
