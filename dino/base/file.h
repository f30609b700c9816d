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

/** The file's bytes. Throws Error{Io} naming the path and the system's reason. */
std::vector<std::byte> read_file(const std::filesystem::path& path);
std::string read_text_file(const std::filesystem::path& path);

/** Hands a sink to `produce`, which calls it with chunks in order; then fsync and rename over
 * `path`. On any failure the temporary file is removed and the previous `path` is untouched. Throws
 * Error{Io}. */
void write_file_atomically(
    const std::filesystem::path& path,
    const std::function<void(const std::function<void(std::span<const std::byte>)>&)>& produce);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/** Whether a file is called as the temporary files of write_file_atomically() are, ".PID-N.tmp":
 * what a process leaves that was killed while it wrote. */
bool is_temporary_file(const std::filesystem::path& path);

}  // namespace dino
