// Weights in whatever container they come: one entry point that looks at the bytes, not at the
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

/** For messages: "safetensors", "torch.save", ... */
std::string_view container_name(TensorContainer container);

/** An open file of named tensors. Copies are cheap and share it; copies of records keep their bytes
 * alive by themselves. No alignment is promised. Thread-safe to read. */
class TensorFile {
 public:
  /** No tensors. */
  TensorFile() = default;

  const std::vector<TensorRecord>& tensors() const { return contents_->tensors.records(); }
  /** The record of that name, or nullptr; in logarithmic time. */
  const TensorRecord* find(std::string_view name) const { return contents_->tensors.find(name); }
  /** safetensors' text entries; empty for torch.save. */
  const std::map<std::string, std::string>& metadata() const { return contents_->metadata; }
  /** What a torch.save file holds besides tensors ({"epoch": 3}); else an empty object. */
  const nlohmann::json& scalars() const { return contents_->scalars; }
  TensorContainer container() const { return contents_->container; }
  /** The file itself: of a folder, the one found in it. */
  const std::filesystem::path& path() const { return contents_->path; }
  /** The files it lies in: see drop_pages(). */
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

/** Opens safetensors, the index of sharded safetensors (*.index.json), torch.save's files (.pth,
 * .pt, .bin, either form), or a folder that holds, first found first, model.safetensors,
 * model.safetensors.index.json or pytorch_model.bin. Throws Error{Io} if there is no such file;
 * Error{Format} if it is none of these (naming its first bytes) or is damaged. */
TensorFile open_tensors(const std::filesystem::path& path);

}  // namespace dino::format
