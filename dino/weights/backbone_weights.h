// The weights of a backbone under canonical names, independent of the file's format and of Torch,
// with the heads stored beside it.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dino/arch/architecture.h"
#include "dino/base/mapped_file.h"
#include "dino/format/tensor_record.h"
#include "dino/weights/head.h"

namespace dino::weights {

/** The naming schemes of published weights. */
enum class Layout {
  Dino,         ///< our own: canonical names, with the network described in the file
  Official,     ///< the papers' repositories: backbone files and training checkpoints
  HuggingFace,  ///< transformers: config.json beside safetensors
  Timm,
};

/** A complete set of weights: exactly the tensors of arch::tensors(network.architecture), in that
 * order. */
struct Weights {
  arch::Network network;
  std::vector<format::TensorRecord> tensors;
  std::vector<MappedFile> mapped;  ///< the mapped files, for drop_pages()

  std::vector<Head> heads;  ///< heads of the network, with distinct names

  std::string origin;                       ///< the file, for messages
  Layout layout = Layout::Dino;             ///< naming scheme of the file
  std::string source;                       ///< container and scheme, for messages
  std::vector<std::string> ignored;         ///< tensors of the file that were not used
  std::vector<std::string> notes;           ///< assumptions made while reading
  std::vector<std::string> unusable_heads;  ///< why heads of the file are not in `heads`
};

/** Whether all bytes are 0; some schemes omit such tensors. */
inline bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

std::string_view name_of(Layout layout);
/** The layout called "dino", "official", "hf" or "timm". Throws Error{Usage} on other names. */
Layout layout_from_name(std::string_view name);

}  // namespace dino::weights
