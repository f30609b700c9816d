// Published weights of any container and naming scheme, read into canonical tensors.
#pragma once
#include <filesystem>
#include <string>

#include "dino/weights/weights.h"

namespace dino::weights {

struct ReadOptions {
  std::string network = "teacher";  ///< which of a training checkpoint: teacher or student
  std::string arch;  ///< name of the zoo, where the file does not tell ("" = find out)
};

/** Reads a file or folder: .safetensors, .pth (zip and legacy), sharded safetensors, a Hugging Face
 * folder. The container is told by its bytes, the naming scheme by tell-tale tensors, the
 * architecture by the file's own description, its config.json, or the shapes. Nothing is copied
 * where names map one to one. Throws Error{Io}; Error{Format} listing missing, unexpected and
 * misshapen tensors with the likely cause. */
Weights read(const std::filesystem::path& path, const ReadOptions& options = {});

}  // namespace dino::weights
