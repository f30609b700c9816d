// One function a family: the whole network from images to features, in eval mode.
#pragma once
#include "dino/onnx/builder.h"

namespace dino::onnx {

/** Values of the finished network. */
struct NetworkOutputs {
  Value cls;        ///< [B, D]
  Value patches;    ///< [B, P, D]
  Value registers;  ///< [B, R, D]; empty without registers
};

/** `images` is [B, C, H, W], normalized. */
NetworkOutputs add_vit(GraphBuilder& g, const Value& images);
NetworkOutputs add_convnext(GraphBuilder& g, const Value& images);
NetworkOutputs add_resnet50(GraphBuilder& g, const Value& images);
NetworkOutputs add_xcit(GraphBuilder& g, const Value& images);

}  // namespace dino::onnx
