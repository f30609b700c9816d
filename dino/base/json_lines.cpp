#include "dino/base/json_lines.h"

#include "dino/base/error.h"
#include "dino/base/json.h"

namespace dino {

std::optional<nlohmann::json> parse_json_if_valid(std::string_view text) {
  try {
    return parse_json(text, "read JSON", "text");
  } catch (const Error&) {
    return std::nullopt;
  }
}

void for_each_json_line(
    std::string_view text,
    const std::function<void(nlohmann::json& object, std::string_view line)>& visit) {
  for (std::size_t end; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1)) {
    const std::string_view line = text.substr(0, end);
    if (auto value = parse_json_if_valid(line); value && value->is_object()) visit(*value, line);
  }
}

}  // namespace dino
