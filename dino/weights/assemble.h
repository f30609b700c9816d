// Canonical tensors put together from a file's by the rules of its naming scheme.
#pragma once
#include <string_view>
#include <vector>

#include "dino/weights/rules.h"

namespace dino::weights {

/** Fills out.tensors, and out.ignored with what a network computes for itself, for
 * out.network.architecture. Throws Error{Format} that names `origin`, lists missing, misshapen and
 * unexpected tensors, and ends with `cause`. */
void assemble(const NamedTensors& tensors, const std::vector<Rule>& rules, std::string_view origin,
              std::string_view cause, Weights& out);

}  // namespace dino::weights
