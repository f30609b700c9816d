// Whole-file reading and atomic writing, with errors that name the path.
#pragma once
#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dino {

/** Reads a whole file. Throws Error{Io} naming the path and the system's reason. */
std::vector<std::byte> read_file(const std::filesystem::path& path);
std::string read_text_file(const std::filesystem::path& path);

/** Calls `produce` with a sink that writes chunks to a temporary file, in order; then syncs the
 * file and renames it to `path`. On any failure the temporary file is removed and the previous
 * `path` is untouched. Throws Error{Io}, and rethrows what `produce` throws. */
void write_file_atomically(
    const std::filesystem::path& path,
    const std::function<void(const std::function<void(std::span<const std::byte>)>&)>& produce);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/** Whether the file name has the form of write_file_atomically()'s temporary files, ".PID-N.tmp". A
 * process that is killed while writing leaves one behind. */
bool is_temporary_file(const std::filesystem::path& path);

}  // namespace dino
