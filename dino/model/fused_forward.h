// Forward pass of the fused encoder over one slab.
#pragma once
#include "dino/model/fused_tape.h"

namespace dino::model::fused {

/** All blocks on x [T, D] into out [T or S, D]; moves the activations into `tape` if it is given.
 */
void slab_forward(const Pass& pass, const Slab& slab, Tensor x, const Tensor& out, SlabTape* tape);

}  // namespace dino::model::fused
