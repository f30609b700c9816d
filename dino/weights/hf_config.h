// Reads and writes config.json, which transformers stores beside its weights.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dino/arch/architecture.h"

namespace dino::weights {

/** Sets what tensors do not tell (heads, epsilon, RoPE base) from a config.json of transformers.
 * Throws Error{Format} naming `origin` and the key if a value has the wrong type, contradicts the
 * tensors or is not supported (another activation). Unknown keys are added to `notes`. */
void apply_hf_config(const nlohmann::json& json, const std::string& origin,
                     arch::Architecture& architecture, std::vector<std::string>& notes);

/** The config.json with which transformers loads the network. Throws Error{Usage} if it has no such
 * model. */
nlohmann::json hf_config(const arch::Architecture& architecture);
/** Changes a config to that of the model with a classifier. */
void add_hf_classes(std::int64_t classes, nlohmann::json& config);

}  // namespace dino::weights
