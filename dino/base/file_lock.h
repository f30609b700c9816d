// An advisory lock on a file, by which one process at a time uses a folder. The system releases it
// when the process ends in any way.
#pragma once
#include <filesystem>
#include <optional>

#include "dino/base/unique_fd.h"

namespace dino {

class FileLock {
 public:
  /** Creates `path` if it is missing and locks it. Returns nothing if another process (or another
   * FileLock of this one) holds the lock. The file is never removed. Throws Error{Io} naming the
   * path if it cannot be created or locked. */
  static std::optional<FileLock> try_lock(const std::filesystem::path& path);

 private:
  explicit FileLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;  // closing it releases the lock
};

}  // namespace dino
