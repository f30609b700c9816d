// Which of a file's tensors belong to one network, under their plain names: backbone and heads
// apart, what training wraps around them taken off.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dino/weights/head.h"

namespace dino::weights {

/** Which network of a file is wanted. */
struct Choice {
  std::string network;  ///< "teacher" or "student"; "" = the teacher, or what there is
  std::string prefix;   ///< that its names begin with; "" = find out
};

struct Selection {
  NamedTensors backbone;
  std::map<std::string, NamedTensors> heads;  ///< by the heads' names; see head.h
  std::vector<std::string> ignored;           ///< other heads (decoders, poolers), optimizers, ...
  std::vector<std::string> outside;  ///< those of `ignored` that are not below the network's prefix
  std::vector<std::string> notes;    ///< what had to be guessed
};

/** The networks of a training checkpoint, of "teacher" and "student" those that are there. A moving
 * average beside the weights it follows is the teacher, they are the student. Empty if the file
 * holds one network alone, without a word on which. */
std::vector<std::string> networks_in(const std::vector<format::TensorRecord>& tensors);

/** The chosen network's own tensors. Its prefix is what stands before the tensors that only a
 * backbone has ("model_state_dict.", "_method.teacher.", ...); DINOv2's block chunks are undone.
 * Throws Error{Format} naming `origin` if there is no such network, if several could be meant, or
 * if two tensors get one name. */
Selection select_network(const std::vector<format::TensorRecord>& tensors, const Choice& choice,
                         std::string_view origin);

/** Head and the tensor's name within it, of a plain name: "dino_head.mlp.0.weight" is
 * {"dino_head", "mlp.0.weight"}. An empty head: of the backbone; "ignored": of none we know. */
std::pair<std::string_view, std::string> head_of(const std::string& name);
/** The same for our own files, whose heads have one prefix each. */
std::pair<std::string_view, std::string> own_head_of(const std::string& name);

}  // namespace dino::weights
