// Detects the naming scheme and the architecture of a set of tensors from their names and shapes.
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
  /// Heads are assumed to be 64 wide; neither tensors nor sizes tell
  bool heads_guessed = false;
  std::vector<std::string> notes;  ///< assumptions made
  std::string doubt;               ///< a note, unless the file's mean and std identify the backbone
};

/** Throws Error{Format} naming `origin` if these are not the tensors of a DINO backbone. Satellite
 * weights are recognized by their norm for local crops (which no other ViT-L has) or, if that is
 * missing and for the 7B, by `file_name`. */
Detected detect(const NamedTensors& tensors, std::string_view origin, std::string_view file_name);

/** How networks of this naming scheme resample a learned position table: as in transformers for its
 * own scheme, else as in the papers' code. */
arch::Positions usual_positions(Layout layout, const arch::Vit& vit);

/** Sets the name to that of the published backbone with this architecture and this mean and std,
 * which tells satellite weights from others. */
void name_by_statistics(arch::Network& network);

}  // namespace dino::weights
