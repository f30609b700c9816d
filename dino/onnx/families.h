// Adds the forward pass of a network in eval mode to a graph, one function per family.
#pragma once
#include "dino/onnx/builder.h"

namespace dino::onnx {

/** The outputs of a network. */
struct NetworkOutputs {
  Value cls;        ///< [B, D]
  Value patches;    ///< [B, P, D]
  Value registers;  ///< [B, R, D]; empty without registers
};

/** Adds the network; `images` is [B, C, H, W], normalized. */
NetworkOutputs add_vit(GraphBuilder& g, const Value& images);
NetworkOutputs add_convnext(GraphBuilder& g, const Value& images);
NetworkOutputs add_resnet50(GraphBuilder& g, const Value& images);
NetworkOutputs add_xcit(GraphBuilder& g, const Value& images);

}  // namespace dino::onnx
