// One process at a time: an advisory lock on a file, which goes with the process, however it ends.
#pragma once
#include <filesystem>
#include <optional>

#include "dino/base/unique_fd.h"

namespace dino {

class FileLock {
 public:
  /** Makes `path` if it is missing and locks it; nothing if another process (or another FileLock)
   * holds it. The file stays. Throws Error{Io} naming the path if it cannot be made or locked. */
  static std::optional<FileLock> try_lock(const std::filesystem::path& path);

 private:
  explicit FileLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;  // closing it releases the lock
};

}  // namespace dino
