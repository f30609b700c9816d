// The command `dino convert --to onnx`.
#pragma once
#include <string>

#include "cli/context.h"
#include "dino/onnx/builder.h"
#include "dino/weights/backbone_weights.h"

namespace dino::cli {

/** Writes `out` (a .onnx file; above 2 GB also `out`.data) after checking that the graph computes
 * the same as our network. Adds the outcome to `result` and returns it as text. Throws
 * Error{Usage|Io}, Error{Internal} if the results differ. */
std::string convert_to_onnx(const weights::Weights& weights, const std::string& out,
                            onnx::Storage storage, bool force, nlohmann::json& result);

}  // namespace dino::cli
