// Maps files into memory, read-only.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace dino {

/** The bytes of a mapped file and the owner of the mapping; copies share it. If another process
 * truncates the file, reading the lost part raises SIGBUS: replace files by renaming
 * (write_file_atomically), never in place. */
struct MappedFile {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  ///< null for an empty file
};

/** Throws Error{Io} naming the path; only regular files can be mapped. */
MappedFile map_file(const std::filesystem::path& path);

/** Releases the resident pages of the mapping; later reads fetch them from the file again. It takes
 * the MappedFile rather than a span so that the pages are certain to be mapped still. Thread-safe,
 * also while others read. */
void drop_pages(const MappedFile& file);

}  // namespace dino
