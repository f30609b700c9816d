// ConvNeXt as DINOv3 distils it; the plain form is dino/model/convnext.cpp. Channels are last but
// in the convolutions.
#include "dino/base/error.h"
#include "dino/onnx/families.h"
#include "dino/onnx/layers.h"

namespace dino::onnx {
namespace {

Value channels_first(GraphBuilder& g, const Value& x) {
  return g.node("Transpose", {x}, {{"perm", Shape{0, 3, 1, 2}}});
}
Value channels_last(GraphBuilder& g, const Value& x) {
  return g.node("Transpose", {x}, {{"perm", Shape{0, 2, 3, 1}}});
}

}  // namespace

NetworkOutputs add_convnext(GraphBuilder& g, const Value& images) {
  const arch::ConvNext& c = g.architecture().convnext;
  Value x = images;
  for (std::size_t s = 0; s < c.depths.size(); ++s) {
    const std::string step = "downsample_layers." + std::to_string(s) + ".";
    g.scope("downsample_layers." + std::to_string(s));
    if (s == 0) {
      x = channels_last(g, convolve(g, x, step + "0", {.stride = 4}));
      x = layer_norm(g, x, step + "1", c.norm_eps);
    } else {
      x = channels_first(g, layer_norm(g, x, step + "0", c.norm_eps));
      x = channels_last(g, convolve(g, x, step + "1", {.stride = 2}));
    }
    for (std::int64_t b = 0; b < c.depths[s]; ++b) {
      const std::string block = fmt::format("stages.{}.{}", s, b), name = block + ".";
      g.scope(block);
      Value y =
          convolve(g, channels_first(g, x), name + "dwconv", {.padding = 3, .groups = c.widths[s]});
      y = layer_norm(g, channels_last(g, y), name + "norm", c.norm_eps);
      y = gelu(g, linear(g, y, name + "pwconv1"));
      x = g.node("Add", {x, linear(g, y, name + "pwconv2", {.gain = name + "gamma"})});
    }
  }
  g.scope("norm");
  const Value mean =
      g.node("ReduceMean", {x}, {{"axes", Shape{1, 2}}, {"keepdims", std::int64_t{0}}});
  const Value rows = g.node("Reshape", {x, g.integers({0, -1, c.widths.back()})});  // [B, P, D]
  return {layer_norm(g, mean, "norm", c.norm_eps), layer_norm(g, rows, "norm", c.norm_eps), {}};
}

}  // namespace dino::onnx
