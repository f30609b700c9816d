// config.json, as timm writes it beside its weights.
#pragma once
#include <filesystem>

#include "dino/weights/detect.h"

namespace dino::weights {

/** Takes the preprocessing of `pretrained_cfg`, and the heads of `model_args`, from config.json, if
 * there is one of timm's in `folder`: true if it says how images are prepared. Throws Error{Format}
 * naming the file and the key for what cannot be done as it says. Keys without a known meaning are
 * added to the notes. */
bool apply_timm_config(const std::filesystem::path& folder, Detected& detected);

}  // namespace dino::weights
