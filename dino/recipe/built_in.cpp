#include "dino/recipe/built_in.h"

#include <fmt/ranges.h>

#include <utility>

#include "dino/base/error.h"
#include "dino/base/nearest_name.h"
#include "dino/base/text.h"

namespace dino::assets {
extern const std::span<const std::pair<std::string_view, std::string_view>> built_in_recipes;
}

namespace dino::recipe {

std::vector<BuiltIn> built_ins() {
  std::vector<BuiltIn> recipes;
  for (const auto& [name, toml] : assets::built_in_recipes) recipes.push_back({name, toml});
  return recipes;
}

BuiltIn find_built_in(std::string_view name) {
  constexpr std::string_view kExtension = ".toml";
  if (name.ends_with(kExtension)) name.remove_suffix(kExtension.size());
  const std::string full = fmt::format("dino_{}", name);
  for (const auto& [known, toml] : assets::built_in_recipes)
    if (known == name || known == full) return {known, toml};
  return {};
}

void unknown_recipe(std::string_view name) {
  constexpr std::string_view kPrefix = "dino_";
  std::vector<std::string> known, typed;
  for (const BuiltIn& recipe : built_ins()) {
    typed.push_back(known.emplace_back(recipe.name));
    if (recipe.name.starts_with(kPrefix)) typed.emplace_back(recipe.name.substr(kPrefix.size()));
  }
  fail(
      ErrorKind::Io,
      "[recipe] '{}' is neither a file nor the name of a recipe that comes with the program ({}){}",
      printable(name), fmt::join(known, ", "), did_you_mean(name, typed));
}

}  // namespace dino::recipe
