// Reads and writes JSON, with dino::Error for everything that goes wrong.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace dino {

/** Parses strictly: one value, UTF-8, no duplicate keys in an object, at most 64 levels deep.
 * Throws Error{Format} with the message "[operation] name: what, where". */
nlohmann::json parse_json(std::string_view text, std::string_view operation, std::string_view name);

/** Throws Error{Io} if the file cannot be read, Error{Format} if it is not JSON; both name the
 * path. */
nlohmann::json read_json_file(const std::filesystem::path& path);

/** Never throws on strings that are not UTF-8: invalid bytes become U+FFFD. Apply printable() first
 * where they must stay legible. A negative `indent` gives one line. */
std::string dump_json(const nlohmann::json& value, int indent = -1);

/** Writes the file atomically, indented and with a final newline. Throws Error{Io}. */
void write_json_file(const std::filesystem::path& path, const nlohmann::json& value);

}  // namespace dino
