#include "dino/weights/container.h"

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/safetensors.h"

namespace dino::weights {

namespace fs = std::filesystem;

bool is_torch_path(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".pth" || extension == ".pt" || extension == ".bin";
}

void write_container(const fs::path& path, std::span<const format::TensorRecord> tensors,
                     const std::map<std::string, std::string>& metadata) {
  if (is_torch_path(path)) return format::write_torch_zip(path, tensors);
  if (path.extension() == ".safetensors") return format::write_safetensors(path, tensors, metadata);
  fail(ErrorKind::Usage, "[convert] {}: the name must end in .safetensors, .pth, .pt or .bin",
       printable(path));
}

void write_container(const fs::path& path, std::span<const format::TorchEntry> entries) {
  if (is_torch_path(path)) return format::write_torch_zip(path, entries);
  std::vector<format::TensorRecord> flat;
  for (const auto& entry : entries) {
    for (format::TensorRecord record : entry.tensors) {
      record.name = fmt::format("{}.{}", entry.key, record.name);
      flat.push_back(std::move(record));
    }
  }
  write_container(path, flat);
}

}  // namespace dino::weights
