// Teacher targets by Sinkhorn-Knopp (Caron et al. 2020, "SwAV", section 3.1; DINOv2, section 4): of
// all targets in which the batch uses every prototype equally, those nearest to the logits. There
// is no running center that could lag behind the logits, so images that look alike do not drive the
// teacher to the uniform distribution.
#pragma once
#include <torch/types.h>

#include "dino/loss/centering.h"
#include "dino/parallel/communicator.h"

namespace dino::loss {

/** exp(logits / temperature), for logits [R, K] fp32 or bf16 and temperature > 0, after `rounds` of
 * dividing each prototype's column by its sum over all rows of all ranks, then each row by its sum.
 * Every rank must call it; their R may differ and
 * be 0. Without gradient. */
Targets sinkhorn_knopp(const torch::Tensor& logits, double temperature, int rounds,
                       parallel::Communicator& ranks);

}  // namespace dino::loss
