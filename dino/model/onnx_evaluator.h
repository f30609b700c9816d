// Evaluates an ONNX graph with Torch, operator by operator. It is slow, supports only the operators
// that dino/onnx writes, and shares no code with the backbones that it checks.
#pragma once
#include <torch/types.h>

#include <map>
#include <string>

#include "dino/onnx/graph.h"

namespace dino::model {

/** Computes the graph's outputs from its inputs (fp32), both by name. Constants are loaded when
 * needed, and values freed after their last use. Throws Error{Internal} naming an unknown operator
 * or an undefined value. */
std::map<std::string, torch::Tensor> evaluate(const onnx::Graph& graph,
                                              const std::map<std::string, torch::Tensor>& inputs);

}  // namespace dino::model
