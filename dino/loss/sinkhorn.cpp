#include "dino/loss/sinkhorn.h"

#include <torch/types.h>

#include <limits>

namespace dino::loss {
namespace {

/** The largest value of `x` on any rank. A common maximum changes no target, and keeps exp() in
 * range; one for each row would change the first round. */
torch::Tensor largest(const torch::Tensor& x, parallel::Communicator& ranks) {
  torch::Tensor of_ranks = torch::zeros({ranks.world()}, x.options());
  of_ranks[ranks.rank()] = x.max();
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
  return {q, -torch::xlogy(q, q).sum(torch::kFloat64) / q.size(0)};
}

}  // namespace dino::loss
