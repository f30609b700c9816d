// Makes bytes that may not be UTF-8 (file names, headers of files) safe for messages, terminals and
// JSON; writes durations for people.
#pragma once
#include <concepts>
#include <filesystem>
#include <string>
#include <string_view>

namespace dino {

bool is_utf8(std::string_view bytes);

/** Writes every byte that is not valid UTF-8, and every control character, as \xNN; other text is
 * unchanged. Backslashes are not escaped, so the result cannot always be converted back. */
std::string printable(std::string_view bytes);
/** Takes exactly paths, not what converts to one, so that a string argument is not ambiguous. */
template <std::same_as<std::filesystem::path> Path>
std::string printable(const Path& path) {
  return printable(std::string_view(path.native()));
}

/** "42 s", "3 min 05 s", "2 h 07 min", "3 d 04 h"; "?" if it is not finite. */
std::string format_duration(double seconds);

}  // namespace dino
