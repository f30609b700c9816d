// The key maps: how each canonical tensor is put together from the tensors of a naming scheme. One
// table serves reading and writing.
#pragma once
#include <string>
#include <vector>

#include "dino/weights/backbone_weights.h"

namespace dino::weights {

/** A stretch of a canonical tensor's elements, in row-major order. */
struct Part {
  std::string name;  ///< in the scheme; empty: zeros that the scheme does not store
  std::int64_t elements = 0;
  bool optional = false;  ///< zeros where the file has no such tensor
};

/** The canonical tensor is its parts one after another. */
struct Rule {
  arch::TensorSpec target;
  std::vector<Part> parts;
  std::vector<std::int64_t> stored_shape = {};  ///< of a single part, where it is not the target's
};

/** One for each of arch::tensors(architecture), in that order. `newer_hf`: transformers' names of
 * version 5 where they differ from those of the published files. Throws Error{Usage} if the scheme
 * has no names for this family. */
std::vector<Rule> rules(Layout layout, const arch::Architecture& architecture,
                        bool newer_hf = false);

/** Shape of a part in the scheme's files. */
std::vector<std::int64_t> part_shape(const Rule& rule, const Part& part);

namespace detail {
std::vector<Part> vit_parts(Layout layout, const arch::Architecture& architecture,
                            const arch::TensorSpec& spec, bool newer_hf);
std::vector<Part> convnext_parts(Layout layout, const arch::TensorSpec& spec);
std::vector<Part> xcit_parts(Layout layout, const arch::TensorSpec& spec);
}  // namespace detail

}  // namespace dino::weights
