// Recipe -> TOML: every key with its value, in the order of recipe_fields.h, numbers with the
// digits that read back exactly.
#include "dino/recipe/recipe.h"
#include "dino/recipe/recipe_fields.h"

namespace dino::recipe {
namespace {

std::string literal(bool value) {
  return value ? "true" : "false";
}

template <typename T>
requires std::integral<T> std::string literal(T value) {
  return fmt::format("{}", value);
}

std::string literal(double value) {
  return fmt::format("{}", value);
}

std::string literal(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\')
      text += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      text += fmt::format("\\u{:04X}", static_cast<int>(c));
    else
      text += c;
  }
  return text + '"';
}

std::string literal(const DataSource& source) {
  return source.weight > 0 ? fmt::format("{{path = {}, weight = {}}}", literal(source.path),
                                         literal(source.weight))
                           : fmt::format("{{path = {}}}", literal(source.path));
}

template <detail::List T>
std::string literal(const T& values) {
  std::vector<std::string> parts;
  for (const auto& value : values) parts.push_back(literal(value));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

template <typename Options>
void append_keys(const std::string& prefix, const Options& options, const Comments& comments,
                 std::string& text) {
  visit_fields(options, [&](const char* key, const auto& value, const auto&) {
    std::string line = fmt::format("{} = {}", key, literal(value));
    if (const auto comment = comments.find(prefix + key); comment != comments.end())
      line = fmt::format("{:<26} # {}", line, comment->second);
    text += line + "\n";
  });
}

}  // namespace

std::string to_toml(const Recipe& recipe, const Comments& comments) {
  std::string text;
  append_keys("", recipe, comments, text);
  visit_sections(recipe, [&](const std::string& section, const auto& options) {
    text += fmt::format("\n[{}]\n", section);
    append_keys(section + ".", options, comments, text);
  });
  return text;
}

}  // namespace dino::recipe
