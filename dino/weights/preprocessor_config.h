// Reads and writes preprocessor_config.json, which tells transformers how to prepare images.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dino/data/prepare/preprocess.h"

namespace dino::weights {

/** Applies the settings of transformers' BitImageProcessor, ViTImageProcessor and
 * DINOv3ViTImageProcessor. Where their slow and fast versions differ, it follows the fast one:
 * null means the default, and default_to_square is used. Missing settings get the processor's
 * defaults or, if no processor is named, keep the values of `preprocess`. Throws Error{Format}
 * naming `origin` and the key of what is not supported. Unknown keys are added to `notes`. */
void apply_preprocessor_config(const nlohmann::json& json, const std::string& origin,
                               data::Preprocess& preprocess, std::vector<std::string>& notes);

/** The settings with which transformers comes closest to `preprocess`. */
nlohmann::json preprocessor_config(const data::Preprocess& preprocess);

}  // namespace dino::weights
