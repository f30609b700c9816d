// Network layers as ONNX nodes, in the forms that ONNX Runtime and OpenVINO recognize and fuse.
#pragma once
#include "dino/onnx/builder.h"

namespace dino::onnx {

/** A linear layer x W^T + b over the last axis, with tensors `name`.weight and `name`.bias.
 * `rows.gain` (a LayerScale) and `rows.scale` multiply weight and bias. */
Value linear(GraphBuilder& g, const Value& x, const std::string& name, Rows rows = {},
             bool bias = true);
/** LayerNorm over the last axis. */
Value layer_norm(GraphBuilder& g, const Value& x, const std::string& name, double eps);
/** GELU in the exact (erf) form. */
Value gelu(GraphBuilder& g, const Value& x);
/** [B, N, D] -> [B, h, N, d], or [B, h, d, N] if transposed. */
Value split_heads(GraphBuilder& g, const Value& x, std::int64_t heads, std::int64_t dim,
                  bool transposed = false);
/** The inverse: [B, h, N, d] -> [B, N, D]. */
Value join_heads(GraphBuilder& g, const Value& x, std::int64_t dim);
/** softmax(query key) value per head, for a query [B, h, N, d] that is already scaled and a key [B,
 * h, d, N]. */
Value attend(GraphBuilder& g, const Value& query, const Value& key, const Value& value);

struct Convolution {
  std::int64_t stride = 1, padding = 0, groups = 1;
  bool bias = true;
};
/** A convolution of x [B, C, H, W] with filters `name`.weight. */
Value convolve(GraphBuilder& g, const Value& x, const std::string& name, const Convolution& o);
/** Batch norm by the running statistics. */
Value batch_norm(GraphBuilder& g, const Value& x, const std::string& name);
/** [B, C, H, W] -> [B, H * W, C]. */
Value map_to_tokens(GraphBuilder& g, const Value& map);

/** The size of an axis as an int64 scalar. */
Value size_of(GraphBuilder& g, const Value& x, std::int64_t axis);
/** Elements [first, last) along an axis; INT64_MAX means the end. */
Value slice(GraphBuilder& g, const Value& x, std::int64_t axis, std::int64_t first,
            std::int64_t last);
/** Repeats `token` [1, n, D] for each image of x: [B, n, D]. */
Value for_each_image(GraphBuilder& g, const Value& token, const Value& x);

}  // namespace dino::onnx
