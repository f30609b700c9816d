// Text for people: bytes that may not be UTF-8 (file names, foreign headers) made safe for
// messages, terminals and JSON; durations.
#pragma once
#include <concepts>
#include <filesystem>
#include <string>
#include <string_view>

namespace dino {

bool is_utf8(std::string_view bytes);

/** The text with every byte that is not valid UTF-8, and every control character, written as \xNN.
 * Text that is already clean comes back unchanged. For people to read: a backslash is kept, so the
 * result cannot always be turned back. */
std::string printable(std::string_view bytes);
/** Only for paths, not for what converts to one: a string must not be ambiguous. */
template <std::same_as<std::filesystem::path> Path>
std::string printable(const Path& path) {
  return printable(std::string_view(path.native()));
}

/** "42 s", "3 min 05 s", "2 h 07 min", "3 d 04 h"; "?" if it is not finite. */
std::string format_duration(double seconds);

}  // namespace dino
