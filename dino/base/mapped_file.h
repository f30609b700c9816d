// A file seen as memory, read-only.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace dino {

/** Bytes of an open file, and what keeps them mapped. Copies share the mapping. If another process
 * cuts the file short, reading the lost part raises SIGBUS: replace files by renaming
 * (write_file_atomically), never in place. */
struct MappedFile {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  ///< null for an empty file
};

/** Throws Error{Io} naming the path; folders, devices and pipes cannot be mapped. */
MappedFile map_file(const std::filesystem::path& path);

/** Gives the memory of a mapped file back; what is read again comes from the file. Takes the
 * mapping itself, so that it cannot hit memory that lies there after an unmapping. Thread-safe,
 * also beside readers. */
void drop_pages(const MappedFile& file);

}  // namespace dino
