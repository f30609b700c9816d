// Files of torch.save (.pth, .pt, .bin): the zip form of PyTorch 1.6 and later, and the form before
// it. Files are memory-mapped and nothing in them is run.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/mapped_file.h"
#include "dino/format/tensor_table.h"

namespace dino::format {

/** Whether a file that begins with these bytes would be one of torch.save's two forms. */
bool looks_like_torch_zip(std::span<const std::byte> bytes);
bool looks_like_torch_legacy(std::span<const std::byte> bytes);

/** An open file. Records point into the mapping (tensors that are not contiguous: to copies) and
 * keep it alive; tensors that share a storage share bytes. Files of the
 * old form align nothing: floats may lie at odd addresses. Thread-safe to read. */
class TorchFile {
 public:
  /** Maps and validates the file. Throws Error{Io} if it cannot be read; Error{Format} naming the
   * member or tensor for names that run programs (see refusal_of), compressed
   * members, tensors that leave their storage, copies larger than the file. */
  explicit TorchFile(const std::filesystem::path& path);
  /** The same for a file in memory, which the caller keeps alive; `name` appears in errors. */
  TorchFile(std::span<const std::byte> bytes, std::string_view name);

  /** In the order of the file. A name is the path of keys joined by '.':
   * {"teacher": {"backbone.norm.bias": t}} holds "teacher.backbone.norm.bias". */
  const std::vector<TensorRecord>& tensors() const { return tensors_.records(); }
  /** The record of that name, or nullptr; in logarithmic time. */
  const TensorRecord* find(std::string_view name) const { return tensors_.find(name); }
  /** All that is not a tensor, nested as in the file: {"epoch": 3, "args": {...}}. An
   * argparse.Namespace is an object, NumPy's scalars are numbers, what JSON lacks is "<...>". */
  const nlohmann::json& scalars() const { return scalars_; }
  /** Written by PyTorch before 1.6, or as if. */
  bool legacy() const { return legacy_; }
  /** The file, unless it was given as memory: see drop_pages(). */
  const std::vector<MappedFile>& mapped() const { return mapped_; }

 private:
  void read(std::span<const std::byte> bytes, std::string_view name,
            const std::shared_ptr<const void>& mapping);

  std::vector<MappedFile> mapped_;
  TensorTable tensors_;
  nlohmann::json scalars_;
  bool legacy_ = false;
};

/** One entry of a checkpoint: {key: OrderedDict of the tensors, in the order given}. */
struct TorchEntry {
  std::string key;
  std::vector<TensorRecord> tensors;
};

/** Writes a state dict that torch.load(path, weights_only=True) reads: an OrderedDict of the
 * tensors in the order given. Atomic, as write_safetensors; every tensor starts at a multiple of 64
 * bytes; records that borrow the very same bytes share a storage. Throws Error{Io}; Error{Usage} if
 * names repeat or are not UTF-8, bytes do not fit shape and dtype, or torch.save has no storage for
 * the dtype (U64, U32, U16, F8). */
void write_torch_zip(const std::filesystem::path& path, std::span<const TensorRecord> tensors);
/** The same for a checkpoint: a dictionary of the entries, {"teacher": {...}, "student": {...}}. */
void write_torch_zip(const std::filesystem::path& path, std::span<const TorchEntry> entries);

}  // namespace dino::format
