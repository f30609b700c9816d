// Opens files of tensors of any supported container, which is recognized by the bytes, not by the
// name.
#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/mapped_file.h"
#include "dino/format/tensor_table.h"

namespace dino::format {

enum class TensorContainer { Safetensors, ShardedSafetensors, TorchZip, TorchLegacy };

/** A name for messages: "safetensors", "torch.save", ... */
std::string_view container_name(TensorContainer container);

/** An open file of named tensors. Copies are cheap and share the file; copies of records keep their
 * bytes alive on their own. Bytes may have any alignment. Thread-safe to read. */
class TensorFile {
 public:
  /** A file without tensors. */
  TensorFile() = default;

  const std::vector<TensorRecord>& tensors() const { return contents_->tensors.records(); }
  /** The record of that name, or nullptr. Takes logarithmic time. */
  const TensorRecord* find(std::string_view name) const { return contents_->tensors.find(name); }
  /** safetensors' text entries; empty for torch.save. */
  const std::map<std::string, std::string>& metadata() const { return contents_->metadata; }
  /** The values of a torch.save file that are not tensors ({"epoch": 3}); else an empty object. */
  const nlohmann::json& scalars() const { return contents_->scalars; }
  TensorContainer container() const { return contents_->container; }
  /** The opened file; if a folder was opened, the file found in it. */
  const std::filesystem::path& path() const { return contents_->path; }
  /** The mapped files, for drop_pages(). */
  const std::vector<MappedFile>& mapped() const { return contents_->mapped; }

 private:
  friend TensorFile open_tensors(const std::filesystem::path& path);
  struct Contents {
    TensorContainer container = TensorContainer::Safetensors;
    std::filesystem::path path;
    std::vector<MappedFile> mapped;
    TensorTable tensors;
    std::map<std::string, std::string> metadata;
    nlohmann::json scalars = nlohmann::json::object();
  };
  template <typename File>
  static std::shared_ptr<Contents> contents_of(const File& file);

  std::shared_ptr<const Contents> contents_ = std::make_shared<Contents>();
};

/** Opens safetensors, the index of sharded safetensors (*.index.json), files of torch.save (.pth,
 * .pt, .bin), or a folder that holds (the first that exists of) model.safetensors,
 * model.safetensors.index.json or pytorch_model.bin. Throws Error{Io} if there is no such file;
 * Error{Format} if it is none of these (naming its first bytes) or is damaged. */
TensorFile open_tensors(const std::filesystem::path& path);

}  // namespace dino::format
