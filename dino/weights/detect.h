// What a set of named tensors is: naming scheme and architecture, read off names and shapes.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "dino/weights/backbone_weights.h"

namespace dino::weights {

struct Detected {
  Layout layout = Layout::Official;
  bool newer_hf = false;
  arch::Network network;
  bool heads_guessed = false;      ///< of 64 each; neither tensors nor a published size tell
  std::vector<std::string> notes;  ///< what had to be assumed
  std::string doubt;  ///< a note unless the file's own statistics say which backbone it is
};

/** Throws Error{Format} naming `origin` if these are no tensors of a DINO backbone. Satellite
 * weights are told by their norm of local crops (ViT-L has it nowhere else) or, where ports leave
 * that out, and for the 7B, by `file_name`. */
Detected detect(const NamedTensors& tensors, std::string_view origin, std::string_view file_name);

/** How networks of these names resample a learned position table: as transformers does for its own,
 * else as the papers' code. */
arch::Positions usual_positions(Layout layout, const arch::Vit& vit);

/** Takes the name of the published backbone that differs from this one in nothing but the
 * statistics, which are this one's: satellite weights described by a config. */
void name_by_statistics(arch::Network& network);

}  // namespace dino::weights
