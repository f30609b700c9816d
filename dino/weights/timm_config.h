// Reads config.json, which timm stores beside its weights.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "dino/weights/detect.h"

namespace dino::weights {

/** Applies the preprocessing in `pretrained_cfg` and the number of heads in `model_args` of timm's
 * config.json; ignores other programs' files. Returns whether it defines the preprocessing. Throws
 * Error{Format} naming `origin` and the key of what is not supported. Unknown keys are added to
 * the notes. */
bool apply_timm_config(const nlohmann::json& json, const std::string& origin, Detected& detected);

}  // namespace dino::weights
