// Converts a network to an ONNX graph from images to features, for any batch and image size.
#pragma once
#include <filesystem>
#include <functional>

#include "dino/onnx/builder.h"
#include "dino/onnx/graph.h"
#include "dino/weights/backbone_weights.h"

namespace dino::onnx {

/** The graph has an input `images` [batch, C, height, width] (normalized, fp32) and outputs `cls`
 * [batch, D], `patches` [batch, P, D] and, with registers, `registers` [batch, R, D], all after
 * the final norm. `weights` must outlive the graph. */
Graph make_graph(const weights::Weights& weights, Storage storage = Storage::Fp32);

}  // namespace dino::onnx
