// A backbone's tensors under their canonical names, whatever file they came from, and the heads
// that were with it. Without Torch.
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
  Dino,         ///< ours: canonical names, the network described in the file
  Official,     ///< the papers' repositories: backbone files and training checkpoints
  HuggingFace,  ///< transformers: config.json beside safetensors
  Timm,
};

/** Complete: exactly the tensors of arch::tensors(network.architecture), in that order. */
struct Weights {
  arch::Network network;
  std::vector<format::TensorRecord> tensors;
  std::vector<MappedFile> mapped;  ///< the files that tensors lie in: see drop_pages()

  std::vector<Head> heads;  ///< of the same network, each name once

  std::string origin;                       ///< the file, for messages
  Layout layout = Layout::Dino;             ///< where they came from
  std::string source;                       ///< container and scheme, in words
  std::vector<std::string> ignored;         ///< tensors of the file that a backbone does not need
  std::vector<std::string> notes;           ///< what was assumed
  std::vector<std::string> unusable_heads;  ///< why a head of the file is not among `heads`
};

/** Some forms leave out tensors whose bytes are. */
inline bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

std::string_view name_of(Layout layout);
/** "dino", "official", "hf", "timm"; throws Error{Usage} listing them. */
Layout layout_from_name(std::string_view name);

}  // namespace dino::weights
