// Descriptions of weights for `dino convert` and `dino inspect`.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "dino/weights/backbone_weights.h"

namespace dino::cli {

/** A list of objects with "name", "in_dim", "outputs", "bias", "text" and, for projections, their
 * other parameters. */
nlohmann::json heads_summary(const std::vector<weights::Head>& heads);
/** heads_summary() as lines of text. */
std::string heads_text(const nlohmann::json& heads);

/** An object with "source", "architecture", "network" (complete), "tensors", "parameters", "heads"
 * (classifiers with their "input"), "ignored", "notes". */
nlohmann::json weights_summary(const weights::Weights& weights);
/** weights_summary() as a few lines of text. */
std::string weights_text(const nlohmann::json& summary);

}  // namespace dino::cli
