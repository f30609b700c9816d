// Bytes that may not be UTF-8 (file names, foreign headers) made safe for messages, terminals and
// JSON.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace dino {

/** The text with every byte that is not valid UTF-8, and every control character, written as \xNN.
 * Text that is already clean comes back unchanged. For people to read: a backslash is kept, so the
 * result cannot always be turned back. */
std::string printable(std::string_view bytes);
std::string printable(const std::filesystem::path& path);

}  // namespace dino
