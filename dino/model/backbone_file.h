// Loads backbones from our own weights and every published form (see dino/weights), and saves them.
#pragma once
#include <filesystem>
#include <memory>

#include "dino/arch/architecture.h"
#include "dino/model/backbone.h"
#include "dino/weights/read.h"

namespace dino::model {

struct LoadedBackbone {
  std::shared_ptr<Backbone> backbone;  ///< frozen
  arch::Network network;
  std::vector<std::string> notes;  ///< assumptions made while reading; see weights::Weights
};

/** Writes a backbone as safetensors with its network in the metadata, atomically. Throws Error{Io}.
 */
void save_backbone(const std::filesystem::path& path, const Backbone& backbone,
                   const arch::Network& network);

/** Reads any weights that weights::read() reads, or the newest weights of a run directory. fp32
 * tensors are used in the mapped file without a copy; other types are converted to fp32. Throws
 * Error{Io|Format}. */
LoadedBackbone load_backbone(const std::filesystem::path& path,
                             const weights::ReadOptions& options = {});

/** A backbone that shares the tensors of `weights` and keeps them alive. Throws Error{Format} if a
 * value is not finite. */
std::shared_ptr<Backbone> make_backbone(const weights::Weights& weights);

}  // namespace dino::model
