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

  bool changes_nothing() const { return set.empty() && seed.empty() && precision.empty(); }
};

/** Adds --set (repeatable). */
void add_set_flag(CLI::App& command, RecipeFlags& flags);
/** Adds --recipe, --set (repeatable), --seed, --precision. */
void add_recipe_flags(CLI::App& command, RecipeFlags& flags);

/** Reads the recipe and applies the flags. Throws Error{Config|Io}. */
recipe::Recipe load(const RecipeFlags& flags);
/** `recipe` with the flags applied, --recipe apart. Throws Error{Config}. */
recipe::Recipe with_flags(const recipe::Recipe& recipe, const RecipeFlags& flags);

}  // namespace dino::cli
