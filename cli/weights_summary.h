// What weights are, in words: for dino convert and dino inspect.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "dino/weights/backbone_weights.h"

namespace dino::cli {

/** A list of objects: "name", "in_dim", "outputs", "bias", "text", and of projections what else
 * defines them. */
nlohmann::json heads_summary(const std::vector<weights::Head>& heads);
/** That as lines. */
std::string heads_text(const nlohmann::json& heads);

/** "source", "architecture", "network" (complete), "tensors", "parameters", "heads" (classifiers
 * with their "input"), "ignored", "notes". */
nlohmann::json weights_summary(const weights::Weights& weights);
/** That as a few lines. */
std::string weights_text(const nlohmann::json& summary);

}  // namespace dino::cli
