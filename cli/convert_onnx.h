// dino convert --to onnx.
#pragma once
#include <string>

#include "cli/context.h"
#include "dino/onnx/builder.h"
#include "dino/weights/backbone_weights.h"

namespace dino::cli {

/** Writes `out` (a .onnx file; above 2 GB also `out`.data), kept only if the graph computes what
 * our network does. Adds what came of it to `result` and returns it in words. Throws
 * Error{Usage|Io}, Error{Internal} if the graph computes something else. */
std::string convert_to_onnx(const weights::Weights& weights, const std::string& out,
                            onnx::Storage storage, bool force, nlohmann::json& result);

}  // namespace dino::cli
