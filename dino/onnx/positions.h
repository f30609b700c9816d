// Where a patch is, computed in the graph for whatever grid the images make.
#pragma once
#include "dino/onnx/builder.h"

namespace dino::onnx {

/** Sizes known when the graph runs: int64 without dimensions. */
struct Grid {
  Value height, width;              ///< patches
  Value image_height, image_width;  ///< px
};

/** The learned table for this grid: [1, P, D], without CLS's row. Resampling is separable and
 * linear in the table, so it is two matrix products with weights that the graph computes: no engine
 * has to agree with Torch on what a cubic Resize is. */
Value learned_positions(GraphBuilder& g, const Grid& grid);

/** Cosines and sines of the tokens' angles, [N, d] each; the tokens before the patches are not
 * turned (1 and 0). */
struct RopeTable {
  Value cos, sin;
};
RopeTable rope_table(GraphBuilder& g, const Grid& grid);

/** x cos + (-x2, x1) sin: x [B, h, N, d] = (x1, x2) -> [B, h, N, d]. */
Value apply_rope(GraphBuilder& g, const Value& x, const RopeTable& table);

}  // namespace dino::onnx
