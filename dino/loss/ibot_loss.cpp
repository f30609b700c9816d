#include "dino/loss/ibot_loss.h"

#include <torch/types.h>

#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/loss/cross_entropy.h"

namespace dino::loss {

torch::Tensor ibot_loss(torch::Tensor logits, const torch::Tensor& targets,
                        std::span<const float> weights, std::int64_t crops, double temperature) {
  if (crops < 1 || logits.dim() != 2 || logits.sizes() != targets.sizes() ||
      logits.size(0) != std::ssize(weights))
    fail(ErrorKind::Usage,
         "[ibot_loss] logits {}, targets {} and {} weights of {} crops: expected [M, K] twice and "
         "M weights",
         fmt::join(logits.sizes().vec(), " x "), fmt::join(targets.sizes().vec(), " x "),
         weights.size(), crops);
  std::vector<Facing> facing;
  for (std::int64_t j = 0; j < std::ssize(weights); ++j)
    facing.push_back({{j, j}, 1, static_cast<double>(weights[j]) / static_cast<double>(crops)});
  return cross_entropy(std::move(logits), targets, facing, temperature);
}

}  // namespace dino::loss
