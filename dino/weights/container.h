// Tensors into the container that a path's ending names.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "dino/format/torch_file.h"

namespace dino::weights {

/** .pth, .pt, .bin: files of torch.save. */
bool is_torch_path(const std::filesystem::path& path);

/** torch.save's files by these endings, safetensors by .safetensors; atomic. Throws Error{Usage} on
 * another ending, Error{Io}. */
void write_container(const std::filesystem::path& path,
                     std::span<const format::TensorRecord> tensors,
                     const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
/** The same for nested dictionaries; in safetensors the keys are joined by dots. */
void write_container(const std::filesystem::path& path,
                     std::span<const format::TorchEntry> entries);

}  // namespace dino::weights
