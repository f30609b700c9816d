#include "dino/onnx/export.h"

#include "dino/base/error.h"
#include "dino/onnx/families.h"

namespace dino::onnx {
namespace {

NetworkOutputs add_network(GraphBuilder& g, const Value& images) {
  switch (g.architecture().family) {
    case arch::Family::Vit:
      return add_vit(g, images);
    case arch::Family::ConvNext:
      return add_convnext(g, images);
    case arch::Family::ResNet50:
      return add_resnet50(g, images);
    case arch::Family::Xcit:
      return add_xcit(g, images);
  }
  DINO_ASSERT(false);
}

}  // namespace

Graph make_graph(const weights::Weights& weights, Storage storage) {
  const arch::Architecture& a = weights.network.architecture;
  GraphBuilder g(weights, storage);
  const Dimension batch = "batch";
  const Value images = g.input("images", {batch, std::int64_t{a.channels}, "height", "width"});
  const NetworkOutputs outputs = add_network(g, images);
  g.output(outputs.cls, "cls", {batch, a.dim()});
  g.output(outputs.patches, "patches", {batch, "patches", a.dim()});
  if (!outputs.registers.empty())
    g.output(outputs.registers, "registers", {batch, a.vit.registers, a.dim()});
  return g.finish({{"dino", arch::to_json(weights.network)}});
}

}  // namespace dino::onnx
