// The k-NN figures of a run. `dino train` passes them to training as hooks, since dino/train does
// not depend on dino/eval.
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

/** Sets hooks.knn and hooks.evaluate by the recipe's [knn] block, or leaves them empty if it has no
 * knn.train. The hooks own what they need except `console`, which must outlive them. Throws the
 * errors of RecipeKnn. */
void add_knn_hooks(train::TrainHooks& hooks, const recipe::Recipe& recipe, Console& console,
                   const std::stop_token& stop);

/** The figures of a summary as a text table: raw pixels, untrained and trained network; then speed
 * and counts. */
std::string summary_text(const nlohmann::json& summary);

}  // namespace dino::cli
