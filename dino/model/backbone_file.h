// Backbones in files: our own weights, and every published form (dino/weights says how each is
// read).
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
  std::vector<std::string> notes;  ///< what was assumed; see weights::Weights
};

/** Writes a backbone as our safetensors, with its network in the metadata. Atomic. */
void save_backbone(const std::filesystem::path& path, const Backbone& backbone,
                   const arch::Network& network);

/** Reads any weights that weights::read() reads, or the newest weights of a run directory. fp32
 * tensors stay in the mapped file, without a copy; other types become fp32. Throws
 * Error{Io|Format}.
 */
LoadedBackbone load_backbone(const std::filesystem::path& path,
                             const weights::ReadOptions& options = {});

/** A backbone whose tensors are those of `weights`, which it keeps alive. Throws Error{Format} if
 * one is not finite. */
std::shared_ptr<Backbone> make_backbone(const weights::Weights& weights);

}  // namespace dino::model
