// Writes tensors to safetensors or torch.save files, by the path's extension.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "dino/format/torch_file.h"

namespace dino::weights {

/** Whether the path has an extension of torch.save's files: .pth, .pt, .bin. */
bool is_torch_path(const std::filesystem::path& path);

/** Writes atomically: torch.save's format for these extensions, safetensors for .safetensors.
 * Throws Error{Usage} on other extensions, Error{Io}. */
void write_container(const std::filesystem::path& path,
                     std::span<const format::TensorRecord> tensors,
                     const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
/** Writes nested dictionaries; in safetensors their keys are joined by dots. */
void write_container(const std::filesystem::path& path,
                     std::span<const format::TorchEntry> entries);

}  // namespace dino::weights
