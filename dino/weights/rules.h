// The tables that map canonical tensors to the tensors of each naming scheme, used for both reading
// and writing.
#pragma once
#include <string>
#include <vector>

#include "dino/weights/backbone_weights.h"

namespace dino::weights {

/** A range of a canonical tensor's elements, in row-major order. */
struct Part {
  std::string name;  ///< name in the scheme; empty = zeros that the scheme does not store
  std::int64_t elements = 0;
  bool optional = false;  ///< zeros if the file has no such tensor
};

/** The canonical tensor is the concatenation of its parts. */
struct Rule {
  arch::TensorSpec target;
  std::vector<Part> parts;
  /// Shape of a single part, if it differs from the target's
  std::vector<std::int64_t> stored_shape = {};
};

/** The rules for all of arch::tensors(architecture), in that order. `newer_hf` selects the names of
 * transformers 5, where they differ from the published files. Throws Error{Usage} if the scheme
 * has no names for this family. */
std::vector<Rule> rules(Layout layout, const arch::Architecture& architecture,
                        bool newer_hf = false);

/** The shape of a part in the scheme's files. */
std::vector<std::int64_t> part_shape(const Rule& rule, const Part& part);

namespace detail {
std::vector<Part> vit_parts(Layout layout, const arch::Architecture& architecture,
                            const arch::TensorSpec& spec, bool newer_hf);
std::vector<Part> convnext_parts(Layout layout, const arch::TensorSpec& spec);
std::vector<Part> xcit_parts(Layout layout, const arch::TensorSpec& spec);
}  // namespace detail

}  // namespace dino::weights
