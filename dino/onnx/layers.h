// Layers as ONNX nodes, in the forms that ONNX Runtime and OpenVINO recognize and fuse.
#pragma once
#include "dino/onnx/builder.h"

namespace dino::onnx {

/** x W^T + b over the last axis; the tensors are `name`.weight and `name`.bias. `rows.gain` (a
 * LayerScale) and `rows.scale` apply to weight and bias. */
Value linear(GraphBuilder& g, const Value& x, const std::string& name, Rows rows = {},
             bool bias = true);
/** Over the last axis. */
Value layer_norm(GraphBuilder& g, const Value& x, const std::string& name, double eps);
/** The exact, erf form. */
Value gelu(GraphBuilder& g, const Value& x);
/** [B, N, D] -> [B, h, N, d], or [B, h, d, N] if transposed. */
Value split_heads(GraphBuilder& g, const Value& x, std::int64_t heads, std::int64_t dim,
                  bool transposed = false);
/** The inverse: [B, h, N, d] -> [B, N, D]. */
Value join_heads(GraphBuilder& g, const Value& x, std::int64_t dim);
/** softmax(query key) value of heads; query [B, h, N, d] is scaled, key is [B, h, d, N]. */
Value attend(GraphBuilder& g, const Value& query, const Value& key, const Value& value);

struct Convolution {
  std::int64_t stride = 1, padding = 0, groups = 1;
  bool bias = true;
};
/** x [B, C, H, W]; the filters are `name`.weight. */
Value convolve(GraphBuilder& g, const Value& x, const std::string& name, const Convolution& o);
/** By the running statistics. */
Value batch_norm(GraphBuilder& g, const Value& x, const std::string& name);
/** [B, C, H, W] -> [B, H * W, C]. */
Value map_to_tokens(GraphBuilder& g, const Value& map);

/** Size of an axis: no dimensions, int64. */
Value size_of(GraphBuilder& g, const Value& x, std::int64_t axis);
/** Part of an axis; `last` is exclusive, INT64_MAX for the end. */
Value slice(GraphBuilder& g, const Value& x, std::int64_t axis, std::int64_t first,
            std::int64_t last);
/** `token` [1, n, D] for each image of x: [B, n, D]. */
Value for_each_image(GraphBuilder& g, const Value& token, const Value& x);

}  // namespace dino::onnx
