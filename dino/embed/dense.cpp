#include "dino/embed/dense.h"

#include <torch/types.h>

#include <cmath>

#include "dino/base/error.h"
#include "dino/embed/feature_matrix.h"

namespace dino::embed {
namespace {

/** Shifts the content by `down` and `right` px (negative: up, left), repeating border pixels. */
torch::Tensor moved(const torch::Tensor& images, std::int64_t down, std::int64_t right) {
  if (down == 0 && right == 0) return images;
  const auto rows = (torch::arange(images.size(2)) - down).clamp(0, images.size(2) - 1);
  const auto columns = (torch::arange(images.size(3)) - right).clamp(0, images.size(3) - 1);
  return images.index_select(2, rows).index_select(3, columns);
}

}  // namespace

torch::Tensor dense_map(const torch::Tensor& images, int patch, int stride,
                        const MapFunction& map) {
  const torch::NoGradGuard no_grad;
  if (stride < 1 || patch < 1 || patch % stride != 0)
    fail(ErrorKind::Usage, "[dense_map] stride must divide the patch size {}: {}", patch, stride);
  if (stride == patch) return map(images);
  const std::int64_t phases = patch / stride;
  // Move the center of cell a to the middle of the patch, so that the cell's value is about its
  // surroundings.
  const auto shift = [&](std::int64_t phase) {
    return static_cast<std::int64_t>(
        std::floor(0.5 * patch - (static_cast<double>(phase) + 0.5) * stride));
  };
  torch::Tensor out;
  for (std::int64_t a = 0; a < phases; ++a) {
    for (std::int64_t b = 0; b < phases; ++b) {
      const auto part = map(moved(images, shift(a), shift(b)));  // [B, F, gh, gw]
      if (!out.defined())
        out = torch::empty(
            {part.size(0), part.size(1), part.size(2) * phases, part.size(3) * phases});
      out.slice(2, a, {}, phases).slice(3, b, {}, phases).copy_(part);
    }
  }
  return out;  // [B, F, gh * phases, gw * phases]
}

int suggested_stride(int image_size, int patch) {
  const int cells = image_size / patch;
  if (cells >= 14) return patch;
  int best = patch;
  for (int phases = 2; phases <= 8 && cells * phases <= 32; ++phases)
    if (patch % phases == 0) best = patch / phases;
  return best;
}

torch::Tensor patch_map(model::Backbone& backbone, const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  const EvalMode eval_mode(backbone);
  const auto features = backbone.forward_features(images);
  return features.patches.transpose(1, 2).unflatten(2, {features.grid_height, features.grid_width});
}

torch::Tensor attention_map(model::Backbone& backbone, const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  const EvalMode eval_mode(backbone);
  const auto attention =
      backbone.attention(images, -1, model::AttentionRows::Prefix);  // [B, h, 1 + R, N]
  const auto grid = backbone.forward_features(images.narrow(0, 0, 1));
  const std::int64_t patches = std::int64_t{grid.grid_height} * grid.grid_width;
  return attention.select(2, 0)
      .slice(2, attention.size(3) - patches)               // [B, h, P]
      .unflatten(2, {grid.grid_height, grid.grid_width});  // [B, h, gh, gw]
}

}  // namespace dino::embed
