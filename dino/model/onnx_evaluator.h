// Runs an ONNX graph with Torch, operator by operator, as the standard defines them: not fast, and
// no more operators than dino/onnx writes. It shares nothing with the backbones it checks.
#pragma once
#include <torch/types.h>

#include <map>
#include <string>

#include "dino/onnx/graph.h"

namespace dino::model {

/** The graph's outputs by name, for its inputs by name (floats). Constants are taken one by one
 * when their turn comes, values dropped after their last use. Throws Error{Internal} naming an
 * operator it does not know or a value that nothing gives. */
std::map<std::string, torch::Tensor> evaluate(const onnx::Graph& graph,
                                              const std::map<std::string, torch::Tensor>& inputs);

}  // namespace dino::model
