#include "tests/model/vit_oracle.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

namespace dino::model {
namespace {

using arch::Positions;

double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/** Weights of a table of `side` cells for each of `cells` new ones: [cells, side]. */
torch::Tensor resampling(std::int64_t cells, std::int64_t side, Positions mode, bool same) {
  torch::Tensor weights = torch::zeros({cells, side}, torch::kFloat64);
  auto set = weights.accessor<double, 2>();
  const double extra = mode == Positions::LearnedOffset && !same ? 0.1 : 0;
  const double step = static_cast<double>(side) / (static_cast<double>(cells) + extra);
  for (std::int64_t i = 0; i < cells; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * step;
    if (mode == Positions::LearnedAntialias) {
      const double wide = std::max(step, 1.0);
      double total = 0;
      for (std::int64_t j = 0; j < side; ++j)
        total += set[i][j] = cubic((static_cast<double>(j) + 0.5 - center) / wide, -0.5);
      for (std::int64_t j = 0; j < side; ++j) set[i][j] /= total;
      continue;
    }
    const auto before = static_cast<std::int64_t>(std::floor(center - 0.5));
    for (std::int64_t j = before - 1; j <= before + 2; ++j)  // beyond the border: the border's cell
      set[i][std::clamp<std::int64_t>(j, 0, side - 1)] +=
          cubic(static_cast<double>(j) + 0.5 - center, -0.75);
  }
  return weights;
}

/** Angles of a grid's patches, the vertical ones first: [P, d / 2]; undefined without RoPE. */
torch::Tensor angles_of(const arch::Vit& vit, std::int64_t grid_height, std::int64_t grid_width) {
  if (vit.positions != Positions::Rope) return {};
  const std::int64_t quarter = vit.dim / vit.heads / 4;
  torch::Tensor angles = torch::empty({grid_height * grid_width, 2 * quarter}, torch::kFloat64);
  auto set = angles.accessor<double, 2>();
  const auto coordinate = [&](std::int64_t i, std::int64_t own, std::int64_t other) {
    const std::int64_t extent =
        vit.rope_coordinates == arch::RopeCoordinates::Max   ? std::max(own, other)
        : vit.rope_coordinates == arch::RopeCoordinates::Min ? std::min(own, other)
                                                             : own;
    return 2 * (static_cast<double>(i) + 0.5) / static_cast<double>(extent) - 1;
  };
  for (std::int64_t k = 0; k < quarter; ++k) {
    const double period =
        vit.rope_periods.empty()
            ? std::pow(vit.rope_base, static_cast<double>(k) / static_cast<double>(quarter))
            : vit.rope_periods[static_cast<std::size_t>(k)];
    for (std::int64_t y = 0; y < grid_height; ++y)
      for (std::int64_t x = 0; x < grid_width; ++x) {
        const std::int64_t patch = y * grid_width + x;
        const double turn = 2 * std::numbers::pi / period;
        set[patch][k] = turn * coordinate(y, grid_height, grid_width);
        set[patch][quarter + k] = turn * coordinate(x, grid_width, grid_height);
      }
  }
  return angles;
}

}  // namespace

VitOracle::VitOracle(const arch::Architecture& architecture,
                     const std::function<torch::Tensor(const arch::TensorSpec&)>& tensor)
    : architecture_(architecture) {
  for (const arch::TensorSpec& spec : arch::tensors(architecture))
    leaves_[spec.name] =
        tensor(spec).to(torch::kFloat64).clone().requires_grad_(torch::GradMode::is_enabled());
}

torch::Tensor VitOracle::affine(const torch::Tensor& x, const std::string& name) const {
  return x.matmul(at(name + ".weight").flatten(1).t()) + at(name + ".bias");
}

torch::Tensor VitOracle::norm(const torch::Tensor& x, const std::string& name) const {
  const torch::Tensor centered = x - x.mean(-1, true);
  const torch::Tensor variance = centered.square().mean(-1, true);
  return centered / (variance + vit().norm_eps).sqrt() * at(name + ".weight") + at(name + ".bias");
}

torch::Tensor VitOracle::positions(std::int64_t grid_height, std::int64_t grid_width,
                                   bool square) const {
  const torch::Tensor& table = at("pos_embed");
  const std::int64_t side = architecture_.image_size / vit().patch_size;
  const bool same = square && grid_height == side && grid_width == side;
  const torch::Tensor rows = resampling(grid_height, side, vit().positions, same),
                      columns = resampling(grid_width, side, vit().positions, same);
  const torch::Tensor patches = torch::einsum(
      "ij,kl,jld->ikd", {rows, columns, table[0].slice(0, 1).view({side, side, vit().dim})});
  return torch::cat({table[0].slice(0, 0, 1), patches.reshape({-1, vit().dim})});  // [1 + P, D]
}

torch::Tensor VitOracle::embed(const torch::Tensor& images, const torch::Tensor& masks) const {
  const std::int64_t p = vit().patch_size, b = images.size(0), dim = vit().dim;
  const std::int64_t height = images.size(2) / p, width = images.size(3) / p;
  std::vector<torch::Tensor> parts;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      parts.push_back(
          affine(images.to(torch::kFloat64).narrow(2, y * p, p).narrow(3, x * p, p).flatten(1),
                 "patch_embed.proj"));
  torch::Tensor patches = torch::stack(parts, 1);  // [B, P, D]
  if (masks.defined()) patches = torch::where(masks.unsqueeze(2), at("mask_token"), patches);
  torch::Tensor cls = at("cls_token").expand({b, 1, dim});
  if (vit().positions != Positions::Rope) {
    const torch::Tensor table = positions(height, width, images.size(2) == images.size(3));
    cls = cls + table.slice(0, 0, 1);
    patches = patches + table.slice(0, 1);
  }
  std::vector<torch::Tensor> all = {cls};
  if (vit().registers > 0) all.push_back(at("register_tokens").expand({b, -1, dim}));
  all.push_back(patches);
  return torch::cat(all, 1);
}

torch::Tensor VitOracle::turned(const torch::Tensor& x, const torch::Tensor& angles) const {
  if (!angles.defined()) return x;
  const std::int64_t half = angles.size(1), prefix = x.size(1) - angles.size(0);
  const torch::Tensor patches = x.slice(1, prefix), cosines = angles.cos(), sines = angles.sin();
  const torch::Tensor u = patches.slice(2, 0, half), v = patches.slice(2, half);
  return torch::cat(
      {x.slice(1, 0, prefix), torch::cat({u * cosines - v * sines, v * cosines + u * sines}, 2)},
      1);
}

std::array<torch::Tensor, 3> VitOracle::head(const torch::Tensor& x, const std::string& block,
                                             std::int64_t head, const torch::Tensor& angles) const {
  const std::int64_t dim = vit().dim, width = dim / vit().heads;
  const std::string name = block + "attn.qkv";
  const torch::Tensor normed = norm(x, block + "norm1");
  std::array<torch::Tensor, 3> parts;
  for (std::int64_t third = 0; third < 3; ++third) {
    const std::int64_t first = third * dim + head * width;
    torch::Tensor part = normed.matmul(at(name + ".weight").narrow(0, first, width).t());
    const bool is_masked = third == 1 && vit().mask_key_bias;
    if (vit().qkv_bias && !is_masked) part = part + at(name + ".bias").narrow(0, first, width);
    parts[static_cast<std::size_t>(third)] = third < 2 ? turned(part, angles) : part;
  }
  return parts;
}

torch::Tensor VitOracle::weights(const torch::Tensor& query, const torch::Tensor& key) const {
  const torch::Tensor scores =
      query.matmul(key.transpose(1, 2)) / std::sqrt(static_cast<double>(query.size(2)));
  const torch::Tensor powers = (scores - scores.amax(2, true).detach()).exp();
  return powers / powers.sum(2, true);
}

torch::Tensor VitOracle::block(torch::Tensor x, std::int64_t index, const torch::Tensor& angles,
                               const torch::Tensor& drop) const {
  const std::string name = "blocks." + std::to_string(index) + ".";
  const auto add = [&](const torch::Tensor& branch, const char* gain, std::int64_t which) {
    torch::Tensor scaled = branch;
    if (vit().layer_scale) scaled = scaled * at(name + gain + ".gamma");
    if (drop.defined()) scaled = scaled * drop[index][which].view({-1, 1, 1});
    x = x + scaled;
  };
  std::vector<torch::Tensor> heads;
  for (std::int64_t h = 0; h < vit().heads; ++h) {
    const auto [query, key, value] = head(x, name, h, angles);
    heads.push_back(weights(query, key).matmul(value));
  }
  add(affine(torch::cat(heads, 2), name + "attn.proj"), "ls1", 0);
  const torch::Tensor normed = norm(x, name + "norm2");
  if (vit().ffn == arch::Ffn::Mlp) {
    const torch::Tensor u = affine(normed, name + "mlp.fc1");
    add(affine(u * (1 + (u / std::numbers::sqrt2).erf()) / 2, name + "mlp.fc2"), "ls2", 1);
  } else {
    const torch::Tensor both = affine(normed, name + "mlp.w12");
    const torch::Tensor a = both.slice(2, 0, vit().hidden), b = both.slice(2, vit().hidden);
    add(affine(a / (1 + (-a).exp()) * b, name + "mlp.w3"), "ls2", 1);
  }
  return x;
}

torch::Tensor VitOracle::tokens(const torch::Tensor& images, std::int64_t last,
                                const Pass& pass) const {
  const std::int64_t p = vit().patch_size;
  const torch::Tensor angles = angles_of(vit(), images.size(2) / p, images.size(3) / p);
  torch::Tensor x = embed(images, pass.masks);
  for (std::int64_t i = 0; i <= last; ++i) x = block(x, i, angles, pass.drop);
  return x;
}

torch::Tensor VitOracle::final_norm(const torch::Tensor& tokens, bool is_local) const {
  const std::int64_t prefix = 1 + vit().registers;
  const char* name = is_local && vit().local_cls_norm  ? "local_cls_norm"
                     : vit().untie_cls_and_patch_norms ? "cls_norm"
                                                       : "norm";
  return torch::cat({norm(tokens.slice(1, 0, prefix), name), norm(tokens.slice(1, prefix), "norm")},
                    1);
}

torch::Tensor VitOracle::attention(const torch::Tensor& images, std::int64_t index) const {
  const std::int64_t p = vit().patch_size;
  const torch::Tensor angles = angles_of(vit(), images.size(2) / p, images.size(3) / p);
  const torch::Tensor x = tokens(images, index - 1);
  std::vector<torch::Tensor> heads;
  for (std::int64_t h = 0; h < vit().heads; ++h) {
    const auto parts = head(x, "blocks." + std::to_string(index) + ".", h, angles);
    heads.push_back(weights(parts[0], parts[1]));
  }
  return torch::stack(heads, 1);
}

}  // namespace dino::model
