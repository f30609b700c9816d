// Canonical tensors written under any of the published naming schemes.
#pragma once
#include <filesystem>

#include "dino/weights/weights.h"

namespace dino::weights {

struct WriteOptions {
  Layout layout = Layout::Dino;
  bool allow_loss = false;  ///< drop what the scheme cannot hold instead of refusing
};

/** Writes atomically. Container by the path: .pth, .pt and .bin are torch.save files (official,
 * timm), .safetensors safetensors; HuggingFace takes a folder and fills it with config.json,
 * preprocessor_config.json and model.safetensors. Reading the result gives the same tensors, bit
 * for bit, unless something was lost. Throws Error{Usage} naming what the scheme cannot hold
 * (unless allow_loss) or a path that does not suit it, Error{Io}. */
void write(const std::filesystem::path& path, const Weights& weights, const WriteOptions& options);

/** What writing to this scheme would lose, in words; empty if nothing. */
std::vector<std::string> losses(const Weights& weights, Layout layout);

}  // namespace dino::weights
