#include "dino/train/recipe_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "dino/base/error.h"

namespace dino::train {
namespace {

// What fixes the shapes of the saved tensors, or their meaning.
constexpr std::array<std::string_view, 7> kFixed = {
    "objectives",        "backbone.",       "head.", "data.channels",
    "crops.global_size", "optim.optimizer", "seed"};
// What changes how a run is carried out but not what it computes.
constexpr std::array<std::string_view, 10> kHarmless = {"name",
                                                        "description",
                                                        "data.workers",
                                                        "data.max_bad_share",
                                                        "train.save_minutes",
                                                        "train.keep_last",
                                                        "train.max_minutes",
                                                        "train.log_every",
                                                        "train.rescue",
                                                        "knn."};

template <std::size_t N>
bool matches(std::string_view key, const std::array<std::string_view, N>& keys) {
  return std::ranges::any_of(keys, [key](std::string_view known) {
    return known.ends_with('.') ? key.starts_with(known) : key == known;
  });
}

/** "section.key" -> value of the TOML that to_toml writes: one key a line under [section] headers.
 */
std::map<std::string, std::string> flat_values(const recipe::Recipe& recipe) {
  std::map<std::string, std::string> values;
  std::istringstream lines(recipe::to_toml(recipe));
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('[')) section = line.substr(1, line.find(']') - 1) + ".";
    const std::size_t equals = line.find(" = ");
    if (!line.starts_with('[') && equals != std::string::npos)
      values[section + line.substr(0, equals)] = line.substr(equals + 3);
  }
  return values;
}

struct Difference {
  std::string key, text;
};

std::vector<Difference> differences(const recipe::Recipe& before, const recipe::Recipe& after) {
  const auto old_values = flat_values(before);
  auto new_values = flat_values(after);
  std::vector<Difference> found;
  for (const auto& [key, value] : old_values)
    if (new_values[key] != value)
      found.push_back({key, fmt::format("{}: {} -> {}", key, value, new_values[key])});
  return found;
}

}  // namespace

std::vector<std::string> recipe_differences(const recipe::Recipe& before,
                                            const recipe::Recipe& after) {
  std::vector<std::string> texts;
  for (auto& difference : differences(before, after)) texts.push_back(std::move(difference.text));
  return texts;
}

recipe::Recipe with_remedy(const recipe::Recipe& recipe,
                           const std::map<std::string, double>& factors) {
  const auto values = flat_values(recipe);
  std::vector<std::string> overrides;
  for (const auto& [key, factor] : factors)
    overrides.push_back(fmt::format("{}={:.6g}", key, factor * std::stod(values.at(key))));
  return recipe::parse_recipe(recipe::to_toml(recipe), recipe.name, {}, overrides);
}

void check_resumable(const recipe::Recipe& before, const recipe::Recipe& after,
                     const LogSink& log) {
  std::vector<std::string> refused, noted;
  for (const auto& [key, text] : differences(before, after)) {
    if (matches(key, kFixed))
      refused.push_back(text);
    else if (!matches(key, kHarmless))
      noted.push_back(text);
  }
  if (!refused.empty())
    fail(ErrorKind::Config,
         "[resume] the checkpoint does not fit this recipe ({}); resume without these changes, or "
         "start a new run "
         "with another --out",
         fmt::join(refused, ", "));
  if (!noted.empty())
    dino::log(log, LogLevel::Warning,
              fmt::format("the run continues with other settings from here on: {}",
                          fmt::join(noted, ", ")));
}

}  // namespace dino::train
