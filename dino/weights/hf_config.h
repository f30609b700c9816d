// config.json and preprocessor_config.json, as transformers writes them beside its weights.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dino/arch/architecture.h"

namespace dino::weights {

/** Which of them there were. */
struct HfFiles {
  bool config = false, preprocessor = false;
};

/** Takes what shapes cannot tell (heads, epsilon, RoPE base, ...) from config.json, and the
 * preprocessing from preprocessor_config.json, where they stand in `folder`. Throws Error{Format}
 * naming the file if a field has the wrong type. */
HfFiles apply_hf_config(const std::filesystem::path& folder, arch::Network& network);

/** What transformers needs to load the network. Throws Error{Usage} if it has no such model. */
nlohmann::json hf_config(const arch::Architecture& architecture);
/** Makes it the config of the model with a classifier. */
void add_hf_classes(std::int64_t classes, nlohmann::json& config);
nlohmann::json hf_preprocessor(const arch::Network& network);

}  // namespace dino::weights
