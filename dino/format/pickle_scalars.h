// The pickle instructions that push one number or text.
#pragma once
#include "dino/format/pickle_input.h"
#include "dino/format/pickle_stack.h"

namespace dino::format {

/** Runs `opcode`, whose operand `input` holds, if it is one of them; says whether it was. */
bool push_pickle_scalar(unsigned char opcode, PickleInput& input, PickleStack& stack);

}  // namespace dino::format
