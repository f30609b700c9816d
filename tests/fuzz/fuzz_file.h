// A file for targets whose reader wants a path: written anew for each input.
#pragma once
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "dino/base/error.h"
#include "dino/data/sources/dataset.h"

namespace dino {

class FuzzFile {
 public:
  explicit FuzzFile(const std::string& extension)
      : path_(std::filesystem::temp_directory_path() /
              ("dino-fuzz-" + std::to_string(::getpid()) + extension)) {}
  ~FuzzFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  void write(const std::uint8_t* data, std::size_t size) const {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/** Opens a source and loads a few of its images: anything but a refusal is a fault. */
inline void fuzz_source(const std::filesystem::path& path) {
  try {
    const auto dataset = data::open_dataset(path.native(), 1);
    const std::int64_t step = dataset->size() / 8 + 1;
    for (std::int64_t i = 0; i < dataset->size(); i += step) {
      if (dataset->name(i).empty()) __builtin_trap();
      const std::int64_t label = dataset->label(i);
      if (label < -1 || label >= std::ssize(dataset->class_names())) __builtin_trap();
      try {
        dataset->load(i);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::Format && error.kind() != ErrorKind::Io) throw;
      }
    }
    for (const data::SourceNote& note : dataset->notes()) data::describe(note);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Format && error.kind() != ErrorKind::Data &&
        error.kind() != ErrorKind::Io)
      throw;
  }
}

}  // namespace dino
