// The arithmetic that a run computes in.
#pragma once
#include <string>

#include "dino/model/backbone.h"

namespace dino::train {

/** Of a recipe's train.precision: "fp32", "bf16", or "auto", which is bf16 on processors that are
 * known to be faster in it (cpu::bf16_pays_in_training()). Throws Error{Config} on another name. */
model::Precision resolve_precision(const std::string& name);

}  // namespace dino::train
