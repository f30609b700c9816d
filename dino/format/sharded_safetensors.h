// Reads weights that are split over several safetensors files, as Hugging Face stores large models.
// An index (model.safetensors.index.json) maps tensors to files.
#pragma once
#include <cstddef>
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

struct SafetensorsIndex {
  std::map<std::string, std::string> weight_map;  ///< tensor -> file name without folders
  std::map<std::string, std::string> metadata;    ///< values that are not strings are JSON text
};

/** Throws Error{Format} naming `name` and the entry if this is not JSON, has no weight_map, names
 * files with folders, or names more than 10,000 files. */
SafetensorsIndex parse_safetensors_index(std::string_view json, std::string_view name);

/** The open files. Records keep their file mapped. Thread-safe to read. */
class ShardedSafetensors {
 public:
  /** Maps every file the index names, from the index's folder. Throws Error{Io} if the index cannot
   * be read; Error{Format} if the index is bad, a file is missing or bad, or a file's tensors
   * differ from the index. */
  explicit ShardedSafetensors(const std::filesystem::path& index);

  /** Ordered by file. */
  const std::vector<TensorRecord>& tensors() const { return tensors_.records(); }
  /** The index's metadata; values that are not strings are JSON text: {"total_size": "344000"}. */
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /** The record of that name, or nullptr. Takes logarithmic time. */
  const TensorRecord* find(std::string_view name) const { return tensors_.find(name); }
  /** The mapped files, for drop_pages(). */
  const std::vector<MappedFile>& mapped() const { return mapped_; }

 private:
  std::vector<MappedFile> mapped_;
  TensorTable tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace dino::format
