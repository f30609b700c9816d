#include "dino/model/encoder.h"
namespace dino::model {
torch::Tensor fused_encoder(const std::vector<std::shared_ptr<Block>>& blocks,
                            const EncoderOptions& options, const torch::Tensor& x,
                            const TokenLayout& layout, const torch::Tensor& drop, bool cls_only,
                            Precision precision) {
  torch::Tensor out = x;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    out = block_forward(*blocks[i], options, out, layout,
                        drop.defined() ? drop[static_cast<std::int64_t>(i)] : drop,
                        cls_only && i + 1 == blocks.size(), precision);
  }
  return out;
}
}  // namespace dino::model
