// The stack of blocks as one autograd node on the CPU: what training runs for DINO's own ViTs.
#pragma once
#include <torch/types.h>

#include <memory>
#include <vector>

#include "dino/model/encoder.h"

namespace dino::model {

/** True if fused_encoder() covers this architecture: DINO's own blocks, with heads of even width.
 */
bool can_fuse(const arch::Vit& vit);

/** All blocks in one autograd node with hand-written forward and backward on the CPU; same results
 * as the plain composition up to rounding. */
torch::Tensor fused_encoder(const std::vector<std::shared_ptr<Block>>& blocks,
                            const arch::Vit& options, const torch::Tensor& x,
                            const TokenLayout& layout, const torch::Tensor& drop, bool cls_only,
                            Precision precision);

}  // namespace dino::model
