// TOML text -> Recipe: the base recipe named by `extends` first, then the file's own keys, then the
// overrides, each laid over what is there already. Writing is in recipe_writer.cpp, ranges and
// contradictions in recipe_checks.cpp.
#include "dino/recipe/recipe.h"

#include <toml++/toml.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <sstream>

#include "dino/base/file.h"
#include "dino/base/nearest_name.h"
#include "dino/recipe/built_in.h"
#include "dino/recipe/recipe_fields.h"

namespace dino::recipe {
namespace {

/** Where a table was written, for messages and for values typed without quotes. */
struct Source {
  std::string name;                          ///< file, or the override as typed
  std::optional<std::string> unquoted = {};  ///< an override's value as typed

  std::string at(const toml::node& node) const {
    const auto line = node.source().begin.line;
    return unquoted || line == 0 ? name : fmt::format("{}:{}", name, line);
  }
};

// ---- one value
// -----------------------------------------------------------------------------------

bool read(const toml::node& node, bool& out) {
  if (!node.is_boolean()) return false;
  out = node.as_boolean()->get();
  return true;
}

bool read(const toml::node& node, double& out) {
  if (!node.is_number()) return false;
  out = *node.value<double>();
  return true;
}

bool read(const toml::node& node, std::string& out) {
  if (!node.is_string()) return false;
  out = node.as_string()->get();
  return true;
}

template <typename T>
requires std::integral<T>
bool read(const toml::node& node, T& out) {
  if (!node.is_integer() || !std::in_range<T>(node.as_integer()->get())) return false;
  out = static_cast<T>(node.as_integer()->get());
  return true;
}

bool read(const toml::node& node, DataSource& out) {
  if (node.is_string()) {
    out = {node.as_string()->get(), 0};
    return true;
  }
  const toml::table* table = node.as_table();
  if (!table || !table->contains("path")) return false;
  for (const auto& [key, value] : *table) {
    const bool known = key.str() == "path"     ? read(value, out.path)
                       : key.str() == "weight" ? read(value, out.weight) && out.weight > 0
                                               : false;
    if (!known) return false;
  }
  return true;
}

template <typename T>
bool read(const toml::node& node, std::vector<T>& out) {
  if (!node.is_array()) return false;
  std::vector<T> values(node.as_array()->size());
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!read(node.as_array()->at(i), values[i])) return false;
  out = std::move(values);
  return true;
}

template <std::size_t N>
bool read(const toml::node& node, std::array<double, N>& out) {
  std::vector<double> values;
  if (!read(node, values) || values.size() != N) return false;
  std::copy(values.begin(), values.end(), out.begin());
  return true;
}

std::string expected(const bool&) {
  return "true or false";
}
std::string expected(const double&) {
  return "a number";
}
std::string expected(const std::string&) {
  return "a string";
}
std::string expected(const std::vector<double>&) {
  return "a list of numbers";
}
std::string expected(const std::vector<int>&) {
  return "a list of integers";
}
std::string expected(const std::vector<std::string>&) {
  return "a list of strings";
}
std::string expected(const std::vector<DataSource>&) {
  return "[[data.sources]] tables with a path and, if you like, a weight above 0";
}
template <std::size_t N>
std::string expected(const std::array<double, N>&) {
  return fmt::format("a list of {} numbers", N);
}
template <typename T>
requires std::integral<T> std::string expected(const T&) {
  return fmt::format("an integer from {} to {}", std::numeric_limits<T>::min(),
                     std::min<std::uint64_t>(std::numeric_limits<T>::max(), INT64_MAX));
}

/** The value as a person would write it, cut if long. */
std::string shown(const toml::node& node) {
  std::ostringstream text;
  if (const auto* array = node.as_array()) {
    std::vector<std::string> elements;
    for (const toml::node& element : *array) elements.push_back(shown(element));
    text << fmt::format("[{}]", fmt::join(elements, ", "));
  } else if (const auto* number = node.as_floating_point()) {
    text << fmt::format("{}", number->get());
  } else {
    node.visit([&](const auto& value) { text << value; });
  }
  constexpr std::size_t kLongest = 60;
  const std::string full = text.str();
  return full.size() <= kLongest ? full : full.substr(0, kLongest) + "...";
}

template <typename T>
void set(const Source& source, const std::string& key, const toml::node& node, T& member) {
  if constexpr (std::is_same_v<T, std::string>) {
    // A name such as 2024 or vit_tiny needs no quotes on the command line.
    if (source.unquoted && !node.is_string()) return void(member = *source.unquoted);
  }
  if (!read(node, member))
    fail(ErrorKind::Config, "[recipe] {}: {} = {} has the wrong type; expected {}", source.at(node),
         key, shown(node), expected(member));
}

// ---- unknown keys
// --------------------------------------------------------------------------------

std::vector<std::string> known_keys() {
  const Recipe recipe;
  std::vector<std::string> keys{"extends"};
  visit_fields(recipe, [&](const char* key, auto&&...) { keys.emplace_back(key); });
  visit_sections(recipe, [&](const char* section, const auto& options) {
    keys.emplace_back(section);
    visit_fields(options, [&](const char* key, auto&&...) {
      keys.push_back(fmt::format("{}.{}", section, key));
    });
  });
  return keys;
}

[[noreturn]] void unknown_key(const Source& source, const toml::node& node,
                              const std::string& key) {
  const std::vector<std::string> known = known_keys();
  // The right word in the wrong section is the commonest slip; spelling comes second.
  const std::string leaf = fmt::format(".{}", key.substr(key.rfind('.') + 1));
  const auto moved = std::find_if(known.begin(), known.end(),
                                  [&](const std::string& name) { return name.ends_with(leaf); });
  const std::optional<std::string> hint =
      moved != known.end() ? std::optional(*moved) : nearest_name(key, known);
  fail(ErrorKind::Config, "[recipe] {}: unknown key '{}'; {}", source.at(node), key,
       hint ? fmt::format("did you mean '{}'?", *hint)
            : "see docs/recipes.md for the keys there are");
}

/** Lays the keys of `table` over the members of `options`; `section` is empty at the top level. */
template <typename Options>
void apply_section(const Source& source, const std::string& section, const toml::table& table,
                   Options& options) {
  const std::string prefix = section.empty() ? "" : section + ".";
  for (const auto& [name, node] : table) {
    const std::string key(name.str());
    bool known = false;
    visit_fields(options, [&, &value = node](const char* field, auto& member, const auto&) {
      if (key != field) return;
      known = true;
      set(source, prefix + key, value, member);
    });
    if (!known) unknown_key(source, node, prefix + key);
  }
}

void apply(const Source& source, toml::table table, Recipe& recipe) {
  visit_sections(recipe, [&](const char* section, auto& options) {
    const toml::node* node = table.get(section);
    if (!node) return;
    if (!node->is_table())
      fail(ErrorKind::Config, "[recipe] {}: {} = {} has the wrong type; expected a section: [{}]",
           source.at(*node), section, shown(*node), section);
    apply_section(source, section, *node->as_table(), options);
    table.erase(section);
  });
  // An unknown section is told apart from an unknown key by its first key, which may belong
  // elsewhere.
  apply_section(source, "", table, recipe);
}

// ---- files and overrides
// -------------------------------------------------------------------------

toml::table parse(std::string_view text, const std::string& origin) {
  try {
    return toml::parse(text, origin);
  } catch (const toml::parse_error& error) {
    fail(ErrorKind::Config, "[recipe] {}:{}:{}: not valid TOML: {}", origin,
         error.source().begin.line, error.source().begin.column, error.description());
  }
}

/** A recipe's text, and where `extends` looks for its base. */
struct Text {
  std::string toml;
  std::string origin;            ///< for messages
  std::filesystem::path folder;  ///< of the file; of a built-in recipe, below recipes/
  bool is_built_in = false;
};

Text text_of(const BuiltIn& recipe) {
  return {std::string(recipe.toml), fmt::format("built-in {}", recipe.name),
          std::filesystem::path(recipe.name).parent_path(), true};
}

Text text_of(const std::filesystem::path& file) {
  return {read_text_file(file), file.string(), file.parent_path()};
}

/** A built-in recipe extends only others; a file those beside it, and then built-in ones. */
Text base_of(const Text& text, const std::string& name) {
  const std::filesystem::path path = (text.folder / name).lexically_normal();
  const bool is_file = !text.is_built_in && std::filesystem::exists(path);
  if (!is_file)
    if (const BuiltIn found = find_built_in(text.is_built_in ? path.string() : name);
        !found.toml.empty())
      return text_of(found);
  return text_of(std::filesystem::weakly_canonical(path));
}

/** `chain`: the origins of what is being read, outermost first, to catch a recipe that extends
 * itself. */
Recipe read_text(const Text& text, std::vector<std::string>& chain) {
  toml::table table = parse(text.toml, text.origin);
  Recipe recipe;
  if (const toml::node* extends = table.get("extends")) {
    std::string name;
    set(Source{text.origin}, "extends", *extends, name);
    const Text base = base_of(text, name);
    if (std::find(chain.begin(), chain.end(), base.origin) != chain.end())
      fail(ErrorKind::Config,
           "[recipe] {}: extends '{}', which extends it in turn; break the circle", text.origin,
           name);
    chain.push_back(base.origin);
    recipe = read_text(base, chain);
    table.erase("extends");
  }
  apply(Source{text.origin}, std::move(table), recipe);
  return recipe;
}

/** What a person names: a bare name is a built-in recipe, what looks like a path is a file if it
 * exists. */
Text find_text(const std::filesystem::path& name) {
  const bool like_path = name.has_parent_path() || name.extension() == ".toml";
  const BuiltIn built_in = find_built_in(name.string());
  const bool exists = std::filesystem::exists(name);
  if (exists && (like_path || built_in.toml.empty())) return text_of(std::filesystem::path(name));
  if (built_in.toml.empty()) unknown_recipe(name.string());
  return text_of(built_in);
}

void apply_override(const std::string& assignment, Recipe& recipe) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0)
    fail(ErrorKind::Config, "[recipe] --set {}: expected key=value, for example optim.lr=2e-3",
         assignment);
  const std::string key = assignment.substr(0, equals), value = assignment.substr(equals + 1);
  toml::table table;
  try {
    table = toml::parse("value = " + value);
  } catch (const toml::parse_error&) {
    table.clear();
  }
  // Text that is no TOML value, or more than one line of it, is a bare word.
  if (table.size() != 1) table = toml::table{{"value", value}};

  toml::table outer;
  const std::size_t dot = key.find('.');
  toml::node& node = *table.get("value");
  if (dot == std::string::npos)
    outer.insert(key, std::move(node));
  else
    outer.insert(key.substr(0, dot), toml::table{{key.substr(dot + 1), std::move(node)}});
  apply(Source{"--set " + assignment, value}, std::move(outer), recipe);
}

void finish(Recipe& recipe, const std::string& origin, std::span<const std::string> overrides) {
  for (const std::string& assignment : overrides) apply_override(assignment, recipe);
  try {
    validate(recipe);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{} ({})", error.what(), origin));
  }
}

}  // namespace

std::vector<std::string_view> objective_names() {
  const Recipe recipe;
  std::vector<std::string_view> names;
  visit_sections(recipe, [&](const char* name, const auto& options) {
    if constexpr (requires { options.weight; }) names.emplace_back(name);
  });
  return names;
}

bool has_objective(const Recipe& recipe, std::string_view objective) {
  return std::ranges::find(recipe.objectives, objective) != recipe.objectives.end();
}

Head ibot_head(const Recipe& recipe) {
  Head head = recipe.head;
  const Ibot& own = recipe.ibot;
  if (own.tied) return head;
  if (own.prototypes > 0) head.prototypes = own.prototypes;
  if (own.hidden > 0) head.hidden = own.hidden;
  if (own.bottleneck > 0) head.bottleneck = own.bottleneck;
  return head;
}

Curve objective_weight(const Recipe& recipe, std::string_view objective, const RunLength& length) {
  std::optional<Curve> weight;
  visit_sections(recipe, [&](const char* name, const auto& options) {
    if constexpr (requires { options.weight; })
      if (objective == name) weight = Curve{options.weight};
    if constexpr (requires { options.start_epochs; })
      if (objective == name)
        weight = Curve{WarmupCosineConstant{.end = options.weight,
                                            .warmup = length.iterations(options.start_epochs),
                                            .cosine = length.iterations(options.ramp_epochs)}};
  });
  if (!weight)
    fail(ErrorKind::Config, "[recipe] objectives: {} is not known; allowed: {}", objective,
         fmt::join(objective_names(), ", "));
  return *weight;
}

Recipe parse_recipe(std::string_view toml, std::string_view origin,
                    const std::filesystem::path& folder, std::span<const std::string> overrides) {
  std::vector<std::string> chain;
  Recipe recipe = read_text({std::string(toml), std::string(origin), folder}, chain);
  finish(recipe, std::string(origin), overrides);
  return recipe;
}

Recipe load_recipe(const std::filesystem::path& name, std::span<const std::string> overrides) {
  const Text text = find_text(name);
  std::vector<std::string> chain{
      text.is_built_in ? text.origin : std::filesystem::weakly_canonical(name).string()};
  Recipe recipe = read_text(text, chain);
  finish(recipe, text.origin, overrides);
  return recipe;
}

}  // namespace dino::recipe
