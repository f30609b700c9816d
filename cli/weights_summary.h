// What weights are, in words: for dino convert and dino inspect.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "dino/weights/weights.h"

namespace dino::cli {

/** "source", "architecture", "network" (complete), "tensors", "parameters", "ignored", "notes". */
nlohmann::json weights_summary(const weights::Weights& weights);
/** That as a few lines. */
std::string weights_text(const nlohmann::json& summary);

}  // namespace dino::cli
