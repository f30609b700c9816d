// What the fused encoder computes between the two products of a feed-forward network.
#pragma once
#include "dino/model/fused_tape.h"

namespace dino::model::fused {

/** GELU(hidden) [rows, hidden], or for SwiGLU silu(a) * b of hidden = [a | b]. */
Tensor ffn_forward(arch::Ffn ffn, const Tensor& hidden);

struct FfnBackward {
  Tensor out;      ///< ffn_forward(hidden)
  Tensor dhidden;  ///< gradient of hidden
};
/** Of the gradient `dout` of the output. Writes over both arguments; `bias` gains dhidden's column
 * sums. */
FfnBackward ffn_backward(arch::Ffn ffn, const Tensor& hidden, const Tensor& dout,
                         const Tensor& bias);

}  // namespace dino::model::fused
