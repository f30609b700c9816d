// Leaves out: containers of other programs (GGUF, ONNX, NPZ), which are only named in the refusal.
#include "dino/format/tensor_file.h"

#include <array>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"
#include "dino/format/safetensors.h"
#include "dino/format/sharded_safetensors.h"
#include "dino/format/torch_file.h"

namespace dino::format {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSupported =
    "safetensors (also sharded, by its index.json) and torch.save files (.pth, .pt, .bin) are read";

constexpr std::array<std::string_view, 3> kFolderFiles = {
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"};

/** A name for other file formats, by their first bytes. */
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kKnownOthers = {{
    {"version https://git-lfs", "a Git LFS pointer; fetch the file itself with git lfs pull"},
    {"<", "a web page or XML; was the download answered with an error?"},
    {"\x1f\x8b", "gzip; unpack it first"},
    {"GGUF", "GGUF"},
    {"\x93NUMPY", "NPY"},
    {"\x89HDF", "HDF5"},
    {"\x08", "perhaps ONNX"},
}};

bool looks_like_safetensors(std::span<const std::byte> bytes) {
  return bytes.size() > 8 && bytes[8] == std::byte{'{'} &&
         load_little_endian(bytes.first(8)) <= kMaxSafetensorsHeaderBytes;
}

[[noreturn]] void refuse_unknown(const fs::path& path, std::string_view start) {
  if (start.empty()) {
    fail(ErrorKind::Format, "[open weights] {}: an empty file; {}", printable(path), kSupported);
  }
  std::string guess;
  for (const auto& [first_bytes, what] : kKnownOthers) {
    if (start.starts_with(first_bytes)) {
      guess = fmt::format(" ({})", what);
      break;
    }
  }
  fail(ErrorKind::Format, "[open weights] {}: begins with '{}'{}; {}", printable(path),
       printable(start.substr(0, 16)), guess, kSupported);
}

TensorContainer sniff(const fs::path& path) {
  const MappedFile file = map_file(path);
  const auto start = file.bytes.first(std::min<std::size_t>(file.bytes.size(), 64));
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  if (looks_like_torch_zip(start)) return TensorContainer::TorchZip;
  if (looks_like_torch_legacy(start)) return TensorContainer::TorchLegacy;
  if (looks_like_safetensors(start)) return TensorContainer::Safetensors;
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first != text.npos && text[first] == '{') return TensorContainer::ShardedSafetensors;
  refuse_unknown(path, text);
}

/** Errors are reported when the file is opened. */
bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

fs::path file_in_folder(const fs::path& folder) {
  for (const std::string_view name : kFolderFiles) {
    if (is_there(folder / name)) return folder / name;
  }
  if (is_there(folder / "pytorch_model.bin.index.json")) {
    fail(ErrorKind::Format,
         "[open weights] {}: holds a pytorch_model.bin in parts, which is not supported; save it "
         "as safetensors",
         printable(folder));
  }
  fail(ErrorKind::Io, "[open weights] {}: holds none of {}; name the file itself",
       printable(folder), fmt::join(kFolderFiles, ", "));
}

}  // namespace

std::string_view container_name(TensorContainer container) {
  switch (container) {
    case TensorContainer::Safetensors:
      return "safetensors";
    case TensorContainer::ShardedSafetensors:
      return "sharded safetensors";
    case TensorContainer::TorchZip:
      return "torch.save";
    case TensorContainer::TorchLegacy:
      return "torch.save before PyTorch 1.6";
  }
  fail(ErrorKind::Internal, "[tensor file] no such container: {}", static_cast<int>(container));
}

template <typename File>
std::shared_ptr<TensorFile::Contents> TensorFile::contents_of(const File& file) {
  auto contents = std::make_shared<Contents>();
  contents->mapped = file.mapped();
  contents->tensors = TensorTable(file.tensors());
  if constexpr (std::is_same_v<File, TorchFile>) {
    contents->scalars = file.scalars();
  } else {
    contents->metadata = file.metadata();
  }
  return contents;
}

TensorFile open_tensors(const fs::path& path) {
  std::error_code ignored;
  const fs::path file = fs::is_directory(path, ignored) ? file_in_folder(path) : path;
  const TensorContainer container = sniff(file);
  const auto open = [&] {
    switch (container) {
      case TensorContainer::Safetensors:
        return TensorFile::contents_of(SafetensorsFile(file));
      case TensorContainer::ShardedSafetensors:
        return TensorFile::contents_of(ShardedSafetensors(file));
      default:
        return TensorFile::contents_of(TorchFile(file));
    }
  };
  const auto contents = open();
  contents->container = container;
  contents->path = file;
  TensorFile result;
  result.contents_ = contents;
  return result;
}

}  // namespace dino::format
