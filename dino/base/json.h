// JSON in and out with this library's errors.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace dino {

/** Parses strictly: one value, UTF-8, no key twice in an object, at most 64 levels deep. Throws
 * Error{Format}: "[operation] name: what, where". */
nlohmann::json parse_json(std::string_view text, std::string_view operation, std::string_view name);

/** Throws Error{Io} if the file cannot be read, Error{Format} if it is not JSON; both name the
 * path. */
nlohmann::json read_json_file(const std::filesystem::path& path);

/** Never throws on strings that are not UTF-8: bad bytes become U+FFFD. Use printable() where they
 * must stay legible. indent < 0: one line. */
std::string dump_json(const nlohmann::json& value, int indent = -1);

/** Atomically, indented, with a final newline. Throws Error{Io}. */
void write_json_file(const std::filesystem::path& path, const nlohmann::json& value);

}  // namespace dino
