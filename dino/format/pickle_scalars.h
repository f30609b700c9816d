// The pickle instructions that push one number or string.
#pragma once
#include "dino/format/pickle_input.h"
#include "dino/format/pickle_stack.h"

namespace dino::format {

/** Executes `opcode` if it is one of these instructions, reading its operand from `input`; returns
 * whether it was. */
bool push_pickle_scalar(unsigned char opcode, PickleInput& input, PickleStack& stack);

}  // namespace dino::format
