// The k-NN figures of a run: what `dino train` measures through hooks, since training knows nothing
// of evaluation.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "cli/console.h"
#include "dino/eval/recipe_knn.h"
#include "dino/recipe/recipe.h"
#include "dino/train/train.h"

namespace dino::cli {

/** Sets hooks.knn and hooks.evaluate to the recipe's [knn] block; leaves them empty if it has no
 * knn.train. The hooks share ownership of what they need; `console` outlives them. Throws what
 * RecipeKnn throws. */
void add_knn_hooks(train::TrainHooks& hooks, const recipe::Recipe& recipe, Console& console,
                   const std::stop_token& stop);

/** The figures of a summary as a table for people: raw pixels, untrained and trained network; then
 * speed and counts. */
std::string summary_text(const nlohmann::json& summary);

}  // namespace dino::cli
