#include "cli/recipe_flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace dino::cli {

namespace {

std::vector<std::string> overrides_of(const RecipeFlags& flags) {
  std::vector<std::string> overrides = flags.set;
  if (!flags.seed.empty()) overrides.push_back("seed=" + flags.seed);
  if (!flags.precision.empty())
    overrides.push_back(fmt::format("train.precision=\"{}\"", flags.precision));
  return overrides;
}

}  // namespace

void add_set_flag(CLI::App& command, RecipeFlags& flags) {
  command
      .add_option("--set", flags.set,
                  "Change one recipe value, e.g. --set optim.lr=2e-3; repeatable")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
}

void add_recipe_flags(CLI::App& command, RecipeFlags& flags) {
  command.add_option("--recipe", flags.path,
                     "Recipe: a file (TOML), or a name that 'dino recipe list' prints");
  add_set_flag(command, flags);
  command.add_option("--seed", flags.seed, "Seed of the run (recipe: seed)")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--precision", flags.precision, "fp32, bf16 or auto (recipe: train.precision)")
      ->check(CLI::IsMember({"fp32", "bf16", "auto"}));
}

recipe::Recipe load(const RecipeFlags& flags) {
  return recipe::load_recipe(flags.path, overrides_of(flags));
}

recipe::Recipe with_flags(const recipe::Recipe& recipe, const RecipeFlags& flags) {
  return recipe::parse_recipe(recipe::to_toml(recipe), "the chosen recipe", "",
                              overrides_of(flags));
}

}  // namespace dino::cli
