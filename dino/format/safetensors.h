// safetensors: an 8-byte header length, a JSON header, one buffer. Files are memory-mapped, never
// copied.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/mapped_file.h"
#include "dino/format/tensor_table.h"

namespace dino::format {

/** Longest header that is read: the limit of the format's authors. */
inline constexpr std::uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

/** An open file. Records point into the mapping and keep it alive. The
 * format does not align them: other programs' files may hold floats at odd addresses. Thread-safe
 * to read. */
class SafetensorsFile {
 public:
  /** Maps and validates the file. Throws Error{Io} if it cannot be read, Error{Format} naming the
   * entry if the header lies: size, dtype, duplicate names, offsets that overlap, leave holes or
   * leave the file. */
  explicit SafetensorsFile(const std::filesystem::path& path);
  /** The same for a file in memory, which the caller keeps alive; `name` appears in errors. */
  SafetensorsFile(std::span<const std::byte> bytes, std::string_view name);

  const std::vector<TensorRecord>& tensors() const {
    return tensors_.records();
  }  ///< in file order
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /** The record of that name, or nullptr; in logarithmic time. */
  const TensorRecord* find(std::string_view name) const { return tensors_.find(name); }
  /** The file, unless it was given as memory: see drop_pages(). */
  const std::vector<MappedFile>& mapped() const { return mapped_; }

 private:
  void read(std::span<const std::byte> bytes, std::string_view name,
            const std::shared_ptr<const void>& owner);

  std::vector<MappedFile> mapped_;
  TensorTable tensors_;
  std::map<std::string, std::string> metadata_;
};

/** Writes a complete file beside `path`, fsyncs it and renames it over `path`: readers see the old
 * file or the new one, never half of one. Throws Error{Io} (full disk, no permission) and leaves
 * nothing behind; Error{Usage} if names repeat or are not UTF-8, or bytes do not fit shape and
 * dtype. The file holds wide items first, else in the order given, and starts its data at a
 * multiple of 64 bytes: each tensor is aligned for its dtype. */
void write_safetensors(const std::filesystem::path& path, std::span<const TensorRecord> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace dino::format
