// Which of a file's tensors belong to one network, under their plain names: backbone and heads
// apart, what training wraps around them taken off.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dino/weights/head.h"

namespace dino::weights {

struct Selection {
  NamedTensors backbone;
  std::map<std::string, NamedTensors> heads;  ///< by the heads' names; see head.h
  std::vector<std::string> ignored;           ///< other heads: decoders, poolers
};

/** The networks of a training checkpoint: of "teacher" and "student" those it has tensors of,
 * perhaps within "model" or "state_dict". Empty if it is no checkpoint. */
std::vector<std::string> networks_in(const std::vector<format::TensorRecord>& tensors);

/** The network's own tensors: of a training checkpoint the one called `network`, without leading
 * module., backbone., model. and the like, with DINOv2's block chunks undone. Throws Error{Format}
 * naming `origin` if there is no such network or two tensors get one name. */
Selection select_network(const std::vector<format::TensorRecord>& tensors, std::string_view network,
                         std::string_view origin);

/** Head and the tensor's name within it, of a plain name: "dino_head.mlp.0.weight" is
 * {"dino_head", "mlp.0.weight"}. An empty head: of the backbone; "ignored": of none we know. */
std::pair<std::string_view, std::string> head_of(const std::string& name);
/** The same for our own files, whose heads have one prefix each. */
std::pair<std::string_view, std::string> own_head_of(const std::string& name);

}  // namespace dino::weights
