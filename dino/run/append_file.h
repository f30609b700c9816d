// A file that only grows (metrics, events). Every append reaches the operating system before it
// returns, so a killed run keeps it.
#pragma once
#include <filesystem>
#include <string_view>

#include "dino/base/unique_fd.h"

namespace dino::run {

/** Thread-compatible. Throws Error{Io} naming the path and the system's reason. */
class AppendFile {
 public:
  explicit AppendFile(std::filesystem::path path);

  void append(std::string_view bytes);

 private:
  std::filesystem::path path_;
  UniqueFd file_;
};

}  // namespace dino::run
