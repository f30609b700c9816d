// JSON that others may have left half written: what does not parse is passed over.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace dino {

/** As parse_json() of base/json.h, with nothing in place of an error. */
std::optional<nlohmann::json> parse_json_if_valid(std::string_view text);

/** Calls visit(object, line) for each line of `text` that ends in '\n' and holds a JSON object;
 * `line` is without the '\n'. The others, a last one cut short included, are passed over. */
void for_each_json_line(
    std::string_view text,
    const std::function<void(nlohmann::json& object, std::string_view line)>& visit);

}  // namespace dino
