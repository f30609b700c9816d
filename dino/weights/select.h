// Selects the tensors of one network from a file, separates backbone and heads, and removes the
// name prefixes that training adds.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dino/weights/head.h"

namespace dino::weights {

/** The wanted network of a file. */
struct Choice {
  std::string network;  ///< "teacher" or "student"; "" = the teacher, or the only one
  std::string prefix;   ///< prefix of its names; "" = detect
};

struct Selection {
  NamedTensors backbone;
  std::map<std::string, NamedTensors> heads;  ///< by name of the head; see head.h
  std::vector<std::string> ignored;           ///< other heads (decoders, poolers), optimizers, ...
  std::vector<std::string> outside;           ///< those of `ignored` without the network's prefix
  std::vector<std::string> notes;             ///< assumptions made
};

/** The networks in a training checkpoint, of "teacher" and "student". A moving average (EMA) beside
 * its weights counts as the teacher, the weights as the student. Empty if the file has a single
 * unnamed network. */
std::vector<std::string> networks_in(const std::vector<format::TensorRecord>& tensors);

/** The tensors of the chosen network. Its prefix is found from tensors that only a backbone has
 * ("model_state_dict.", "_method.teacher.", ...); DINOv2's block chunks are flattened. Throws
 * Error{Format} naming `origin` if there is no such network, if several could be meant, or if two
 * tensors get one name. */
Selection select_network(const std::vector<format::TensorRecord>& tensors, const Choice& choice,
                         std::string_view origin);

/** Splits a name into the head and the tensor's name within it: "dino_head.mlp.0.weight" gives
 * {"dino_head", "mlp.0.weight"}. The head is empty for the backbone and "ignored" for unknown
 * heads. */
std::pair<std::string_view, std::string> head_of(const std::string& name);
/** The same for our own files, in which each head has one prefix. */
std::pair<std::string_view, std::string> own_head_of(const std::string& name);

}  // namespace dino::weights
