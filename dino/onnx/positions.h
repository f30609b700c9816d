// Position encodings computed in the graph, for any grid of patches. They repeat dino/model/vit.cpp
// and rope.cpp in ONNX operators.
#pragma once
#include "dino/onnx/builder.h"

namespace dino::onnx {

/** Sizes that are known when the graph runs, as int64 scalars. */
struct Grid {
  Value height, width;              ///< patches
  Value image_height, image_width;  ///< px
};

/** The learned position table for this grid, [1, P, D], without CLS's row. It is resampled by two
 * matrix products with weights that the graph computes, since engines disagree with Torch on cubic
 * Resize. */
Value learned_positions(GraphBuilder& g, const Grid& grid);

/** Cosines and sines of the tokens' angles, [N, d] each; 1 and 0 for tokens before the patches,
 * which are not rotated. */
struct RopeTable {
  Value cos, sin;
};
RopeTable rope_table(GraphBuilder& g, const Grid& grid);

/** Rotates x [B, h, N, d] = (x1, x2): x cos + (-x2, x1) sin. */
Value apply_rope(GraphBuilder& g, const Value& x, const RopeTable& table);

}  // namespace dino::onnx
