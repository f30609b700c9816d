// preprocessor_config.json: how transformers prepares images for a network.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dino/data/prepare/preprocess.h"

namespace dino::weights {

/** Obeys the settings of transformers' BitImageProcessor, ViTImageProcessor and
 * DINOv3ViTImageProcessor; where the slow and the fast of them differ, as the fast one: null is the
 * default, and default_to_square counts. What is not said is as that processor's defaults say, or
 * as `preprocess` says where no processor is named. Throws Error{Format} naming `origin` and the
 * key for what cannot be done as it says. Keys without a known meaning are added to `notes`. */
void apply_preprocessor_config(const nlohmann::json& json, const std::string& origin,
                               data::Preprocess& preprocess, std::vector<std::string>& notes);

/** The settings with which transformers prepares images as `preprocess` says, as far as it can. */
nlohmann::json preprocessor_config(const data::Preprocess& preprocess);

}  // namespace dino::weights
