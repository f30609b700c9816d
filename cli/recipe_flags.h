// The flags of commands that read a recipe.
#pragma once
#include <string>
#include <vector>

#include "dino/recipe/recipe.h"

namespace CLI {
class App;
}

namespace dino::cli {

struct RecipeFlags {
  std::string path;
  std::vector<std::string> set;  ///< "optim.lr=2e-3"
  std::string seed, precision;   ///< empty = the recipe's
};

/** Adds --recipe, --set (repeatable), --seed, --precision. */
void add_recipe_flags(CLI::App& command, RecipeFlags& flags);

/** Reads the recipe and applies the flags. Throws Error{Config|Io}. */
recipe::Recipe load(const RecipeFlags& flags);

}  // namespace dino::cli
