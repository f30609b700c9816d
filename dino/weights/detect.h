// What a set of named tensors is: naming scheme and architecture, read off names and shapes.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dino/weights/weights.h"

namespace dino::weights {

/** Tensors of one network by their names in the file, wrappers' prefixes taken off. */
using NamedTensors = std::map<std::string, const format::TensorRecord*, std::less<>>;

/** The network's own tensors: of a training checkpoint the one called `network` ("teacher",
 * "student"), without leading module., backbone., model. and the like, with DINOv2's block chunks
 * undone; heads are left out. Throws Error{Format} naming `origin` if there is no such network or
 * two tensors get one name. */
NamedTensors select_network(const std::vector<format::TensorRecord>& tensors,
                            std::string_view network, std::string_view origin);

struct Detected {
  Layout layout = Layout::Official;
  bool newer_hf = false;
  arch::Network network;
  std::vector<std::string> notes;  ///< what had to be assumed
};

/** Throws Error{Format} naming `origin` if these are no tensors of a DINO backbone. `file_name`
 * tells satellite weights apart, whose tensors look like the others'. */
Detected detect(const NamedTensors& tensors, std::string_view origin, std::string_view file_name);

}  // namespace dino::weights
