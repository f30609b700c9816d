// The cubic weights are those of Torch's upsample_bicubic2d (a = -0.75, the border repeated) and of
// its antialiased form (a = -0.5, support widened when shrinking, weights normalized). They are
// computed here a second time, after model/vit.cpp and model/rope.cpp, because a graph must compute
// them itself: the size of its images is known only when it runs, and Resize is not the same cubic
// in every engine. Tests compare the two.
#include "dino/onnx/positions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "dino/base/error.h"
#include "dino/onnx/layers.h"

namespace dino::onnx {
namespace {

/** 0, 1, ... n - 1 as floats, n being an int64 value of the graph. */
Value count_up(GraphBuilder& g, const Value& n) {
  return g.node("Cast", {g.node("Range", {g.integer(0), n, g.integer(1)})},
                {{"to", std::int64_t{1}}});
}

Value to_float(GraphBuilder& g, const Value& x) {
  return g.node("Cast", {x}, {{"to", std::int64_t{1}}});
}

/** from, from + 1, ...: [1, count] */
Value row_of_numbers(GraphBuilder& g, float from, std::int64_t count) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(from + static_cast<float>(i));
  return g.floats(values, {1, count});
}

/** ((c[0] x + c[1]) x + c[2]) x + c[3] */
Value cubic_polynomial(GraphBuilder& g, const Value& x, std::array<float, 4> c) {
  Value y = g.node("Mul", {x, g.number(c[0])});
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    y = g.node("Add", {y, g.number(c[i])});
    y = g.node("Mul", {y, x});
  }
  return g.node("Add", {y, g.number(c[3])});
}

/** The convolution kernel of parameter a at distances x >= 0; 0 from 2 on. */
Value cubic_kernel(GraphBuilder& g, const Value& x, float a) {
  const Value bounded = g.node("Min", {x, g.number(2)});
  const Value near = cubic_polynomial(g, bounded, {a + 2, -(a + 3), 0, 1});
  const Value far = cubic_polynomial(g, bounded, {a, -5 * a, 8 * a, -4 * a});
  return g.node("Where", {g.node("Less", {x, g.number(1)}), near, far});
}

/** Adds the weights of the two cells beyond each border to the border's: [side + 4, side]. */
Value border_matrix(GraphBuilder& g, std::int64_t side) {
  std::vector<float> values(static_cast<std::size_t>((side + 4) * side));
  for (std::int64_t v = 0; v < side + 4; ++v)
    values[static_cast<std::size_t>(v * side + std::clamp<std::int64_t>(v - 2, 0, side - 1))] = 1;
  return g.floats(std::move(values), {side + 4, side});
}

/** Weights of the table's `side` cells for `cells` new ones: [cells, side]. `step` is the distance
 * between new cells in table cells. */
Value bicubic_weights(GraphBuilder& g, const Value& cells, const Value& step, std::int64_t side) {
  const Value centers = g.node("Add", {count_up(g, cells), g.number(0.5)});
  const Value at = g.node("Sub", {g.node("Mul", {centers, step}), g.number(0.5)});
  const Value column = g.node("Unsqueeze", {at, g.integers({1})});  // [cells, 1]
  const Value distance = g.node(
      "Abs", {g.node("Sub", {column, row_of_numbers(g, -2, side + 4)})});  // [cells, side + 4]
  return g.node("MatMul", {cubic_kernel(g, distance, -0.75f), border_matrix(g, side)});
}

Value antialiased_weights(GraphBuilder& g, const Value& cells, const Value& step,
                          std::int64_t side) {
  const Value centers = g.node("Mul", {g.node("Add", {count_up(g, cells), g.number(0.5)}), step});
  const Value column = g.node("Unsqueeze", {centers, g.integers({1})});
  const Value distance = g.node("Abs", {g.node("Sub", {column, row_of_numbers(g, 0.5, side)})});
  const Value widened = g.node("Div", {distance, g.node("Max", {step, g.number(1)})});
  const Value weights = cubic_kernel(g, widened, -0.5f);  // [cells, side]
  return g.node("Div", {weights, g.node("ReduceSum", {weights, g.integers({1})})});
}

/** The offset that DINO and DINOv2 add to the number of cells; 0 if they use the table unchanged.
 */
Value offset_of(GraphBuilder& g, const Grid& grid, std::int64_t side) {
  const Value same = g.node("And", {g.node("And", {g.node("Equal", {grid.height, g.integer(side)}),
                                                   g.node("Equal", {grid.width, g.integer(side)})}),
                                    g.node("Equal", {grid.image_height, grid.image_width})});
  return g.node("Where", {same, g.number(0), g.number(0.1f)});
}

}  // namespace

Value learned_positions(GraphBuilder& g, const Grid& grid) {
  const arch::Architecture& a = g.architecture();
  const std::int64_t side = a.image_size / a.vit.patch_size, dim = a.vit.dim;
  const auto mode = a.vit.positions;
  const bool offset = mode == arch::Positions::LearnedOffset;
  const Value extra = offset ? offset_of(g, grid, side) : Value();
  const auto weights = [&](const Value& cells) {
    Value count = to_float(g, cells);
    if (offset) count = g.node("Add", {count, extra});
    const Value step = g.node("Div", {g.number(static_cast<float>(side)), count});
    return mode == arch::Positions::LearnedAntialias ? antialiased_weights(g, cells, step, side)
                                                     : bicubic_weights(g, cells, step, side);
  };
  const Value rows = weights(grid.height), columns = weights(grid.width);
  const Value table = g.part("pos_embed", dim, {side, side * dim});  // behind CLS's row
  const Value stretched = g.node("MatMul", {rows, table});           // [gh, M * D]
  const Value lines = g.node("Reshape", {stretched, g.integers({-1, side, dim})});  // [gh, M, D]
  return g.node("Reshape", {g.node("MatMul", {columns, lines}),                     // [gh, gw, D]
                            g.integers({1, -1, dim})});
}

RopeTable rope_table(GraphBuilder& g, const Grid& grid) {
  const arch::Vit& v = g.architecture().vit;
  const std::int64_t quarter = v.dim / v.heads / 4, prefix = 1 + v.registers;
  const Value period = g.floats(arch::rope_periods(v), {quarter});

  const auto extent = [&](const Value& own, const Value& other) {
    switch (v.rope_coordinates) {
      case arch::RopeCoordinates::Separate:
        return to_float(g, own);
      case arch::RopeCoordinates::Max:
        return g.node("Max", {to_float(g, own), to_float(g, other)});
      case arch::RopeCoordinates::Min:
        return g.node("Min", {to_float(g, own), to_float(g, other)});
    }
    DINO_ASSERT(false);
  };
  /** Angles of the cells along an axis, to be broadcast along the other: [gh, 1, q] or [1, gw, q]
   */
  const auto angles = [&](const Value& own, const Value& other, std::int64_t broadcast_axis) {
    const Value centers = g.node("Add", {count_up(g, own), g.number(0.5)});
    const Value share = g.node("Mul", {g.node("Div", {centers, extent(own, other)}), g.number(2)});
    const Value at = g.node("Sub", {share, g.number(1)});  // in [-1, 1]
    const Value turns = g.node("Mul", {at, g.number(2 * std::numbers::pi_v<float>)});
    const Value cells = g.node("Unsqueeze", {turns, g.integers({broadcast_axis == 0 ? 0 : 1, 2})});
    return g.node("Div", {cells, period});
  };
  const Value one = g.integers({1}), quarters = g.integers({quarter});
  const auto length = [&](const Value& n) { return g.node("Unsqueeze", {n, g.integers({0})}); };
  const Value full = g.node("Concat", {length(grid.height), length(grid.width), quarters},
                            {{"axis", std::int64_t{0}}});
  const Value y = g.node("Expand", {angles(grid.height, grid.width, 1), full});
  const Value x = g.node("Expand", {angles(grid.width, grid.height, 0), full});
  const Value both = g.node("Concat", {y, x, y, x}, {{"axis", std::int64_t{-1}}});  // [gh, gw, d]
  const Value rows = g.node("Reshape", {both, g.integers({-1, 4 * quarter})});      // [P, d]

  const auto with_prefix = [&](const Value& table, float rest) {
    const auto count = static_cast<std::size_t>(prefix * 4 * quarter);
    const Value still = g.floats(std::vector<float>(count, rest), {prefix, 4 * quarter});
    return g.node("Concat", {still, table}, {{"axis", std::int64_t{0}}});  // [N, d]
  };
  return {with_prefix(g.node("Cos", {rows}), 1), with_prefix(g.node("Sin", {rows}), 0)};
}

Value apply_rope(GraphBuilder& g, const Value& x, const RopeTable& table) {
  const auto halves = g.node("Split", {x}, {{"axis", std::int64_t{-1}}}, 2);
  const Value turned =
      g.node("Concat", {g.node("Neg", {halves[1]}), halves[0]}, {{"axis", std::int64_t{-1}}});
  return g.node("Add", {g.node("Mul", {x, table.cos}), g.node("Mul", {turned, table.sin})});
}

}  // namespace dino::onnx
