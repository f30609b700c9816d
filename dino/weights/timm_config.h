// config.json, as timm writes it beside its weights.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "dino/weights/detect.h"

namespace dino::weights {

/** Takes the preprocessing of `pretrained_cfg`, and the heads of `model_args`, from a config.json
 * of timm's; any other is left alone. True if it says how images are prepared. Throws Error{Format}
 * naming `origin` and the key for what cannot be done as it says. Keys without a known meaning are
 * added to the notes. */
bool apply_timm_config(const nlohmann::json& json, const std::string& origin, Detected& detected);

}  // namespace dino::weights
