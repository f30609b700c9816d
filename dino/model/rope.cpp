#include "dino/model/rope.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "dino/model/layers.h"

namespace dino::model {
namespace {

double extent(const arch::Vit& vit, std::int64_t own, std::int64_t other) {
  switch (vit.rope_coordinates) {
    case arch::RopeCoordinates::Separate:
      return static_cast<double>(own);
    case arch::RopeCoordinates::Max:
      return static_cast<double>(std::max(own, other));
    case arch::RopeCoordinates::Min:
      return static_cast<double>(std::min(own, other));
  }
  return static_cast<double>(own);
}

/** Patch centers along one axis, in [-1, 1]: [n]. */
torch::Tensor centers(std::int64_t n, double size) {
  return (torch::arange(n, torch::kFloat32) + 0.5) / size * 2.0 - 1.0;
}

torch::Tensor log_uniform(double limit, std::int64_t count, torch::Generator generator) {
  const double bound = std::log(limit);
  return torch::empty({count}).uniform_(-bound, bound, generator).exp();
}

}  // namespace

torch::Tensor rope_table(const arch::Vit& vit, std::int64_t grid_height, std::int64_t grid_width,
                         const RopeAugment& augment, torch::Generator generator,
                         torch::Dtype type) {
  const torch::NoGradGuard no_grad;
  torch::Tensor at =
      torch::stack(torch::meshgrid({centers(grid_height, extent(vit, grid_height, grid_width)),
                                    centers(grid_width, extent(vit, grid_width, grid_height))},
                                   "ij"),
                   -1);   // [gh, gw, 2] as y, x
  at = at.view({-1, 2});  // [P, 2]
  if (augment.shift > 0)
    at = at + torch::empty({2}).uniform_(-augment.shift, augment.shift, generator);
  if (augment.jitter > 0) at = at * log_uniform(augment.jitter, 2, generator);
  if (augment.rescale > 0) at = at * log_uniform(augment.rescale, 1, generator);

  const torch::Tensor periods = torch::tensor(arch::rope_periods(vit));              // [d/4]
  const torch::Tensor angles = (2.0 * std::numbers::pi * at.unsqueeze(2) / periods)  // [P, 2, d/4]
                                   .flatten(1)                                       // [P, d/2]
                                   .repeat({1, 2});                                  // [P, d]
  const auto [sines, cosines] = sine_and_cosine(angles);
  return torch::stack({cosines, sines}).to(type);  // [2, P, d]
}

torch::Tensor apply_rope(const torch::Tensor& x, const torch::Tensor& table, std::int64_t prefix) {
  const torch::Tensor patches = x.narrow(2, prefix, x.size(2) - prefix).to(table.dtype());
  const auto halves = patches.chunk(2, -1);
  const torch::Tensor turned = torch::cat({-halves[1], halves[0]}, -1);
  return torch::cat(
      {x.narrow(2, 0, prefix), (patches * table[0] + turned * table[1]).to(x.dtype())}, 2);
}

}  // namespace dino::model
