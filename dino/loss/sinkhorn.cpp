#include "dino/loss/sinkhorn.h"

#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace dino::loss {
namespace {

/** The largest value of `x` on any rank. A common maximum changes no target, and keeps exp() in
 * range; one for each row would change the first round. */
torch::Tensor largest(const torch::Tensor& x, parallel::Communicator& ranks) {
  torch::Tensor of_ranks = torch::zeros({ranks.world()}, x.options());
  if (x.numel() > 0)
    of_ranks[ranks.rank()] = x.max();
  else
    of_ranks[ranks.rank()] = -std::numeric_limits<float>::infinity();
  ranks.sum({&of_ranks, 1});
  return of_ranks.max();
}

}  // namespace

Targets sinkhorn_knopp(const torch::Tensor& logits, double temperature, int rounds,
                       parallel::Communicator& ranks) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor scaled = logits.to(torch::kFloat32) / temperature;  // [R, K]
  torch::Tensor q = (scaled - largest(scaled, ranks)).exp();
  for (int round = 0; round < rounds; ++round) {
    torch::Tensor share = q.sum(0);  // [K]
    ranks.sum({&share, 1});
    // A prototype so far from every row that all of them round to 0 stays at 0.
    q.div_(share.clamp_min(std::numeric_limits<float>::min()));
    q.div_(q.sum(1, /*keepdim=*/true));
  }
  const std::int64_t rows = std::max<std::int64_t>(q.size(0), 1);
  return {q, -torch::xlogy(q, q).sum(torch::kFloat64) / rows};
}

}  // namespace dino::loss
