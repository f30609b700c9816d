// Builds canonical tensors from a file's tensors by the rules of its naming scheme.
#pragma once
#include <string_view>
#include <vector>

#include "dino/weights/rules.h"

namespace dino::weights {

/** Fills out.tensors for out.network.architecture, and adds to out.ignored the tensors that a
 * network computes itself. Throws Error{Format} that names `origin`, lists missing, misshapen and
 * unexpected tensors, and ends with `cause`. */
void assemble(const NamedTensors& tensors, const std::vector<Rule>& rules, std::string_view origin,
              std::string_view cause, Weights& out);

}  // namespace dino::weights
