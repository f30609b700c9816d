// Declares the kernels that are defined in other files than kernels_isa.cpp, which builds the
// table.
#pragma once
#include "dino/cpu/attention.h"
#include "dino/cpu/gemm.h"

namespace dino::cpu::DINO_ISA {

void attention_forward(const Attention&);
void attention_forward_int8(const Attention&);
void attention_backward(const AttentionBackward&);
void gemm(const Gemm&);
void swiglu_forward(Type type, const void* u, void* out, std::int64_t rows, std::int64_t hidden);
void swiglu_backward(Type type, void* u, void* g, float* dbias, std::int64_t rows,
                     std::int64_t hidden);
void quantize_rows(const Quantize&);
void pack_panel(GemmType type, const float* rows, std::int64_t count, std::int64_t inputs,
                void* out, float* scales, std::int32_t* sums);

}  // namespace dino::cpu::DINO_ISA
