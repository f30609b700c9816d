// What one instruction set's files show each other; see kernels_isa.cpp, which builds the table.
#pragma once
#include "dino/cpu/attention.h"

namespace dino::cpu::DINO_ISA {

void attention_forward(const Attention&);
void attention_backward(const AttentionBackward&);

}  // namespace dino::cpu::DINO_ISA
