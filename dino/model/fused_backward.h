// Backward pass of the fused encoder over one slab.
#pragma once
#include "dino/model/fused_tape.h"

namespace dino::model::fused {

/** Parameter gradients of all blocks that one share adds up: views of one flat buffer. */
struct Gradients {
  Tensor flat;                ///< [n] fp32
  std::vector<Tensor> views;  ///< Parameter::kPerBlock a block

  /** Zeros. */
  explicit Gradients(const std::vector<std::vector<std::int64_t>>& shapes);
  void add(const Gradients& other) const;
};

/** Backward of all blocks of one slab: dout [T or S, D] fp32 into dx [T, D] (the gradient of the
 * tokens, overwritten) and sums. Frees the tape block by block. */
void slab_backward(const Pass& pass, const Slab& slab, SlabTape& tape, const Tensor& dout,
                   const Tensor& dtokens, const Gradients& sums);

}  // namespace dino::model::fused
