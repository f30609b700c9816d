// Reads and writes safetensors files: an 8-byte header length, a JSON header, one buffer. Files are
// memory-mapped, not copied.
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

/** The longest header that is read: the limit of the format's authors. */
inline constexpr std::uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

/** An open file. Records point into the mapping and keep it alive. Their bytes may have any
 * alignment, since the format requires none. Thread-safe to read. */
class SafetensorsFile {
 public:
  /** Maps and validates the file. Throws Error{Io} if it cannot be read, Error{Format} naming the
   * entry if the header is wrong: size, dtype, duplicate names, offsets that overlap, leave gaps
   * or exceed the file. */
  explicit SafetensorsFile(const std::filesystem::path& path);
  /** Validates a file in memory, which the caller keeps alive; `name` appears in errors. */
  SafetensorsFile(std::span<const std::byte> bytes, std::string_view name);

  const std::vector<TensorRecord>& tensors() const {
    return tensors_.records();
  }  ///< in file order
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /** The record of that name, or nullptr. Takes logarithmic time. */
  const TensorRecord* find(std::string_view name) const { return tensors_.find(name); }
  /** The mapped file, for drop_pages(); empty for a file in memory. */
  const std::vector<MappedFile>& mapped() const { return mapped_; }

 private:
  void read(std::span<const std::byte> bytes, std::string_view name,
            const std::shared_ptr<const void>& owner);

  std::vector<MappedFile> mapped_;
  TensorTable tensors_;
  std::map<std::string, std::string> metadata_;
};

/** Writes a temporary file, fsyncs it and renames it to `path`, so readers see the old file or the
 * new one. Throws Error{Io} (full disk, no permission), leaving no temporary file; Error{Usage} if
 * names repeat or are not UTF-8, or bytes do not fit shape and dtype. Tensors of wide dtypes come
 * first, else in the order given, and the data start at a multiple of 64 bytes, so each tensor is
 * aligned for its dtype. */
void write_safetensors(const std::filesystem::path& path, std::span<const TensorRecord> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace dino::format
