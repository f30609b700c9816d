#include "dino/loss/dino_loss.h"

#include <torch/types.h>

#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/loss/cross_entropy.h"

namespace dino::loss {
namespace {

void check(const torch::Tensor& logits, const torch::Tensor& targets, std::int64_t batch_size) {
  if (batch_size < 1 || logits.dim() != 2 || logits.size(0) % batch_size != 0 ||
      logits.size(0) < 2 * batch_size || targets.dim() != 2 || targets.size(0) != 2 * batch_size ||
      targets.size(1) != logits.size(1)) {
    fail(ErrorKind::Usage,
         "[dino_loss] logits {} and targets {} with batch {}: expected [views * B, K] with at "
         "least 2 views, and [2 * B, K]",
         fmt::join(logits.sizes().vec(), " x "), fmt::join(targets.sizes().vec(), " x "),
         batch_size);
  }
}

}  // namespace

torch::Tensor dino_loss(torch::Tensor logits, const torch::Tensor& targets, std::int64_t batch_size,
                        double temperature, double local_weight) {
  check(logits, targets, batch_size);
  const std::int64_t views = logits.size(0) / batch_size;
  const double share = 1.0 / static_cast<double>((2 * views - 2) * batch_size);
  std::vector<Facing> facing;
  for (std::int64_t view = 0; view < views; ++view) {
    for (std::int64_t image = 0; image < batch_size; ++image) {
      const std::int64_t view0 = image, view1 = batch_size + image;
      // A global view faces the other teacher view only; a local view faces both.
      if (view == 0) facing.push_back({{view1, view1}, 1, share});
      if (view == 1) facing.push_back({{view0, view0}, 1, share});
      if (view >= 2) facing.push_back({{view0, view1}, 2, share * local_weight});
    }
  }
  return cross_entropy(std::move(logits), targets, facing, temperature);
}

torch::Tensor dino_loss_by_pairs(const torch::Tensor& logits, const torch::Tensor& targets,
                                 std::int64_t batch_size, double temperature, double local_weight) {
  check(logits, targets, batch_size);
  const auto student = logits.to(torch::kFloat32).div(temperature).split(batch_size);
  const auto teacher = targets.split(batch_size);
  torch::Tensor total;
  int pairs = 0;
  for (std::size_t t = 0; t < teacher.size(); ++t) {
    for (std::size_t s = 0; s < student.size(); ++s) {
      if (s == t) continue;
      torch::Tensor loss = -(teacher[t] * student[s].log_softmax(1)).sum(1).mean();
      if (s >= 2) loss = loss * local_weight;
      total = total.defined() ? total + loss : loss;
      ++pairs;
    }
  }
  return total / pairs;
}

}  // namespace dino::loss
