// The machine a run computes on, and what LibTorch makes of it.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace dino::train {

/** run::describe_machine(), with LibTorch's version, the instruction set it uses and its number of
 * threads. */
nlohmann::json describe_machine();

}  // namespace dino::train
