// Reads and writes files of torch.save (.pth, .pt, .bin): the zip format since PyTorch 1.6 and
// (reading only) the older one. Files are memory-mapped, and nothing in them is executed.
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

/** Whether a file that begins with these bytes has torch.save's zip or older format. */
bool looks_like_torch_zip(std::span<const std::byte> bytes);
bool looks_like_torch_legacy(std::span<const std::byte> bytes);

/** An open file. Records point into the mapping and keep it alive; non-contiguous tensors are
 * copied, and tensors that share a storage share bytes. Files of the old format do not align their
 * data. Thread-safe to read. */
class TorchFile {
 public:
  /** Maps and validates the file. Throws Error{Io} if it cannot be read; Error{Format} naming the
   * member or tensor for names that run programs (see refusal_of), compressed members, tensors
   * that exceed their storage, and copies larger than the file. */
  explicit TorchFile(const std::filesystem::path& path);
  /** Validates a file in memory, which the caller keeps alive; `name` appears in errors. */
  TorchFile(std::span<const std::byte> bytes, std::string_view name);

  /** The tensors in the order of the file. A name is the path of keys joined by '.': {"teacher":
   * {"backbone.norm.bias": t}} holds "teacher.backbone.norm.bias". */
  const std::vector<TensorRecord>& tensors() const { return tensors_.records(); }
  /** The record of that name, or nullptr. Takes logarithmic time. */
  const TensorRecord* find(std::string_view name) const { return tensors_.find(name); }
  /** The values that are not tensors, nested as in the file: {"epoch": 3, "args": {...}}. An
   * argparse.Namespace becomes an object, NumPy's scalars become numbers, and what JSON cannot
   * express becomes a string "<...>". */
  const nlohmann::json& scalars() const { return scalars_; }
  /** Whether the file has the format of PyTorch before 1.6. */
  bool legacy() const { return legacy_; }
  /** The mapped file, for drop_pages(); empty for a file in memory. */
  const std::vector<MappedFile>& mapped() const { return mapped_; }

 private:
  void read(std::span<const std::byte> bytes, std::string_view name,
            const std::shared_ptr<const void>& mapping);

  std::vector<MappedFile> mapped_;
  TensorTable tensors_;
  nlohmann::json scalars_;
  bool legacy_ = false;
};

/** One entry of a checkpoint: its key and the state dict, an OrderedDict of the tensors in this
 * order. */
struct TorchEntry {
  std::string key;
  std::vector<TensorRecord> tensors;
};

/** Writes a state dict that torch.load(path, weights_only=True) reads: an OrderedDict of the
 * tensors in the order given. It is written atomically, as by write_safetensors. Tensors are
 * aligned to 64 bytes; records of the same bytes share a storage. Throws Error{Io}; Error{Usage}
 * if names repeat or are not UTF-8, bytes do not fit shape and dtype, or torch.save has no storage
 * for the dtype (U64, U32, U16, F8). */
void write_torch_zip(const std::filesystem::path& path, std::span<const TensorRecord> tensors);
/** Writes a checkpoint, a dictionary of the entries: {"teacher": {...}, "student": {...}}. */
void write_torch_zip(const std::filesystem::path& path, std::span<const TorchEntry> entries);

}  // namespace dino::format
