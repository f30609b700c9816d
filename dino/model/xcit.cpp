#include "dino/model/xcit.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "dino/base/error.h"
#include "dino/model/conv_layers.h"

namespace dino::model {
namespace {

constexpr std::int64_t kPositionFeatures = 32;  // of each axis: sines and cosines
constexpr double kPositionBase = 10000;

/** Depthwise 3x3, Torch's default initialization. */
std::shared_ptr<Affine> make_local(std::int64_t dim, const torch::Generator& generator) {
  auto local = make_convolution(dim, dim, 3, dim);
  init_uniform(local->weight, 9, generator);
  init_uniform(local->bias, 9, generator);
  return local;
}

/** Coordinates 1 to n as angles up to 2 pi, each as sines and cosines of 16 frequencies: [n, 32].
 */
torch::Tensor axis_features(std::int64_t n, const torch::TensorOptions& options) {
  const double scale = 2 * std::numbers::pi / (static_cast<double>(n) + 1e-6);
  const torch::Tensor angle = torch::arange(1, n + 1, options.dtype(torch::kFloat64)) * scale;
  const torch::Tensor exponent =
      torch::arange(0, kPositionFeatures, 2, options.dtype(torch::kFloat64)) / kPositionFeatures;
  const torch::Tensor phase = angle.unsqueeze(1) / torch::pow(kPositionBase, exponent);  // [n, 16]
  const auto [sines, cosines] = sine_and_cosine(phase);
  return torch::stack({sines, cosines}, 2).flatten(1).to(torch::kFloat32);  // [n, 32]
}

/** Rows, then columns: [gh * gw, 64]. */
torch::Tensor fourier_features(std::int64_t gh, std::int64_t gw,
                               const torch::TensorOptions& options) {
  const torch::Tensor y = axis_features(gh, options).unsqueeze(1).expand({gh, gw, -1});
  const torch::Tensor x = axis_features(gw, options).unsqueeze(0).expand({gh, gw, -1});
  return torch::cat({y, x}, 2).flatten(0, 1);
}

/** x / max(|x|, 1e-12) over the last axis. */
torch::Tensor unit(const torch::Tensor& x) {
  return x / x.norm(2, -1, /*keepdim=*/true).clamp_min(1e-12);
}

}  // namespace

/** What both kinds of block have: gains of the branches, norms, qkv, projection and MLP. */
struct XcitBlock : torch::nn::Module {
  XcitBlock(const arch::Xcit& options, int branches, torch::Generator generator)
      : heads(options.heads) {
    const std::int64_t dim = options.dim;
    for (int i = 1; i <= branches; ++i)
      gammas.push_back(register_parameter("gamma" + std::to_string(i),
                                          torch::full({dim}, options.layer_scale_init)));
    norm1 = register_module("norm1", make_norm(dim));
    attn = register_module("attn", std::make_shared<torch::nn::Module>());
    qkv = attn->register_module("qkv", make_linear(dim, 3 * dim, generator));
    proj = attn->register_module("proj", make_linear(dim, dim, generator));
    norm2 = register_module("norm2", make_norm(dim));
    auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
    fc1 = mlp->register_module("fc1", make_linear(dim, 4 * dim, generator));
    fc2 = mlp->register_module("fc2", make_linear(4 * dim, dim, generator));
  }

  torch::Tensor feed_forward(const torch::Tensor& x, Precision precision) const {
    const torch::Tensor hidden = at::gelu(linear(x, fc1->weight, fc1->bias, precision));
    return linear(hidden, fc2->weight, fc2->bias, precision);
  }
  torch::Tensor project(const torch::Tensor& x, Precision precision) const {
    return linear(x, proj->weight, proj->bias, precision).to(torch::kFloat32);
  }

  std::int64_t heads;
  std::vector<torch::Tensor> gammas;
  std::shared_ptr<torch::nn::Module> attn;
  std::shared_ptr<Affine> norm1, qkv, proj, norm2, fc1, fc2;
};

/** Over patches: x += gamma1 XCA(LN1 x);  x += gamma3 LPI(LN3 x);  x += gamma2 MLP(LN2 x). */
struct XcaBlock : XcitBlock {
  XcaBlock(const arch::Xcit& options, torch::Generator generator)
      : XcitBlock(options, 3, generator) {
    temperature = attn->register_parameter("temperature", torch::ones({heads, 1, 1}));
    norm3 = register_module("norm3", make_norm(options.dim));
    auto local = register_module("local_mp", std::make_shared<torch::nn::Module>());
    conv1 = local->register_module("conv1", make_local(options.dim, generator));
    local_norm = local->register_module("bn", std::make_shared<BatchNorm>(options.dim));
    conv2 = local->register_module("conv2", make_local(options.dim, generator));
  }

  /** Softmax over the channels of each head by the cosine of their courses over the patches. */
  torch::Tensor cross_covariance(const torch::Tensor& x, Precision precision) const {
    const std::int64_t batch = x.size(0), count = x.size(1), dim = x.size(2);
    const torch::Tensor parts = linear(x, qkv->weight, qkv->bias, precision)
                                    .to(torch::kFloat32)
                                    .view({batch, count, 3, heads, dim / heads})
                                    .permute({2, 0, 3, 4, 1});  // [3, B, h, d, P]
    const torch::Tensor cosine = unit(parts[0]).matmul(unit(parts[1]).transpose(-2, -1));
    const torch::Tensor mixed =
        (cosine * temperature).softmax(-1).matmul(parts[2]);  // [B, h, d, P]
    return project(mixed.permute({0, 3, 1, 2}).reshape({batch, count, dim}), precision);
  }

  torch::Tensor local_interaction(const torch::Tensor& x, std::int64_t height, std::int64_t width,
                                  bool batch_statistics) const {
    torch::Tensor map = x.unflatten(1, {height, width}).permute({0, 3, 1, 2});  // [B, D, gh, gw]
    map = (*local_norm)(at::gelu(depthwise(map, *conv1)), batch_statistics);
    return depthwise(map, *conv2).permute({0, 2, 3, 1}).flatten(1, 2);  // [B, P, D]
  }

  torch::Tensor operator()(torch::Tensor x, std::int64_t height, std::int64_t width,
                           bool batch_statistics, Precision precision) const {
    x = x + gammas[0] * cross_covariance(layer_norm(x, *norm1), precision);
    x = x + gammas[2] * local_interaction(layer_norm(x, *norm3), height, width, batch_statistics);
    return x + gammas[1] * feed_forward(layer_norm(x, *norm2), precision);
  }

  torch::Tensor temperature;
  std::shared_ptr<Affine> norm3, conv1, conv2;
  std::shared_ptr<BatchNorm> local_norm;
};

/** Over class token and patches, of which only the class token attends and passes the MLP; the
 * patches take part in norms and residuals, an oddity of the reference that its nets were trained
 * with. */
struct ClassAttentionBlock : XcitBlock {
  ClassAttentionBlock(const arch::Xcit& options, torch::Generator generator)
      : XcitBlock(options, 2, generator) {}

  /** Query [B, h, 1, d] of the class token, keys and values [B, h, N, d] of all, of normed x. */
  std::array<torch::Tensor, 3> query_key_value(const torch::Tensor& x, Precision precision) const {
    const std::int64_t dim = x.size(2);
    const auto part = [&](const torch::Tensor& rows, std::int64_t first, std::int64_t parts) {
      return linear(rows, qkv->weight.narrow(0, first * dim, parts * dim),
                    qkv->bias.narrow(0, first * dim, parts * dim), precision)
          .view({x.size(0), -1, parts, heads, dim / heads})
          .permute({2, 0, 3, 1, 4});  // [parts, B, h, N, d]
    };
    const torch::Tensor query = part(x.narrow(1, 0, 1), 0, 1), rest = part(x, 1, 2);
    return {query[0], rest[0], rest[1]};
  }

  torch::Tensor operator()(const torch::Tensor& x, Precision precision) const {
    const std::int64_t patches = x.size(1) - 1;
    const torch::Tensor normed = layer_norm(x, *norm1);
    const auto [query, key, value] = query_key_value(normed, precision);
    const torch::Tensor attended = at::scaled_dot_product_attention(query, key, value)
                                       .transpose(1, 2)
                                       .flatten(2);  // [B, 1, D]
    const torch::Tensor branch =
        torch::cat({project(attended, precision), normed.narrow(1, 1, patches)}, 1);
    const torch::Tensor y = layer_norm(x + gammas[0] * branch, *norm2);
    const torch::Tensor cls = y.narrow(1, 0, 1);
    return torch::cat({cls + gammas[1] * feed_forward(cls, precision), 2 * y.narrow(1, 1, patches)},
                      1);
  }

  /** Softmax attention of the class token: [B, h, 1, N] fp32. */
  torch::Tensor attention(const torch::Tensor& x, Precision precision) const {
    const auto [query, key, value] = query_key_value(layer_norm(x, *norm1), precision);
    const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(-1)));
    return (query.to(torch::kFloat32).matmul(key.to(torch::kFloat32).transpose(-2, -1)) * scale)
        .softmax(-1);
  }
};

Xcit::Xcit(const arch::Xcit& options, std::int64_t channels, torch::Generator generator)
    : options_(options) {
  const std::int64_t dim = options_.dim;
  {
    const torch::NoGradGuard no_grad;
    cls_token_ = register_parameter("cls_token", torch::empty({1, 1, dim}));
    init_normal(cls_token_, 0.02, generator);
  }
  auto patch_embed = register_module("patch_embed", std::make_shared<torch::nn::Module>());
  auto steps = patch_embed->register_module("proj", std::make_shared<torch::nn::Module>());
  std::int64_t in = channels;
  for (std::int64_t divisor = options_.patch_size / 2; divisor >= 1; divisor /= 2) {
    const std::int64_t out = dim / divisor;
    // The reference counts the activations between, so the steps are 0, 2, 4, 6.
    auto step = steps->register_module(std::to_string(2 * stem_.size()),
                                       std::make_shared<torch::nn::Module>());
    auto convolution =
        std::make_shared<Affine>(std::vector<std::int64_t>{out, in, 3, 3}, /*bias_count=*/0);
    init_uniform(convolution->weight, 9 * in, generator);
    stem_.push_back({step->register_module("0", convolution),
                     step->register_module("1", std::make_shared<BatchNorm>(out))});
    in = out;
  }
  auto blocks = register_module("blocks", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < options_.depth; ++i)
    blocks_.push_back(blocks->register_module(std::to_string(i),
                                              std::make_shared<XcaBlock>(options_, generator)));
  auto cls_blocks = register_module("cls_attn_blocks", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < options_.cls_depth; ++i)
    cls_blocks_.push_back(cls_blocks->register_module(
        std::to_string(i), std::make_shared<ClassAttentionBlock>(options_, generator)));
  norm_ = register_module("norm", make_norm(dim));
  auto positions = register_module("pos_embeder", std::make_shared<torch::nn::Module>());
  position_projection_ = positions->register_module(
      "token_projection", make_convolution(2 * kPositionFeatures, dim, 1));
  init_uniform(position_projection_->weight, 2 * kPositionFeatures, generator);
  init_uniform(position_projection_->bias, 2 * kPositionFeatures, generator);
}

Xcit::Grid Xcit::embed(const torch::Tensor& images, bool batch_statistics) const {
  const std::int64_t channels = stem_[0].convolution->weight.size(1), p = options_.patch_size;
  if (images.dim() != 4 || images.size(1) != channels || images.size(2) < p || images.size(3) < p) {
    fail(ErrorKind::Usage,
         "[backbone] images of shape {}: expected [B, {}, H, W] with H and W at least {} px",
         fmt::join(images.sizes().vec(), " x "), channels, p);
  }
  torch::Tensor x = images.to(dtype_of(precision_));
  for (std::size_t i = 0; i < stem_.size(); ++i) {
    if (i > 0) x = at::gelu(x);
    x = at::conv2d(x, stem_[i].convolution->weight.to(x.scalar_type()), {}, /*stride=*/2,
                   /*padding=*/1);
    x = (*stem_[i].norm)(x, batch_statistics);
  }  // [B, D, gh, gw]
  const std::int64_t height = x.size(2), width = x.size(3);
  const torch::Tensor positions =
      at::linear(fourier_features(height, width, images.options()),
                 position_projection_->weight.flatten(1), position_projection_->bias);  // [P, D]
  return {x.flatten(2).transpose(1, 2).to(torch::kFloat32) + positions, height, width};
}

torch::Tensor Xcit::input_of(std::int64_t i, const torch::Tensor& tokens) const {
  if (i != options_.depth) return tokens;
  return torch::cat({cls_token_.expand({tokens.size(0), 1, -1}), tokens}, 1);  // [B, 1 + P, D]
}

void Xcit::apply_block(std::int64_t i, Grid& grid, bool batch_statistics) const {
  stop_if_asked();
  const auto index = static_cast<std::size_t>(i);
  const torch::Tensor x = input_of(i, grid.tokens);
  grid.tokens = i < options_.depth
                    ? (*blocks_[index])(x, grid.height, grid.width, batch_statistics, precision_)
                    : (*cls_blocks_[index - blocks_.size()])(x, precision_);
}

Xcit::Grid Xcit::encode(const torch::Tensor& images, bool batch_statistics) const {
  Grid grid = embed(images, batch_statistics);
  for (std::int64_t i = 0; i < depth(); ++i) apply_block(i, grid, batch_statistics);
  return grid;
}

std::vector<GroupFeatures> Xcit::forward_groups(const std::vector<CropGroup>& groups,
                                                Tokens tokens) {
  std::vector<GroupFeatures> features;
  for (const auto& group : groups) {
    if (group.masks.defined())
      fail(ErrorKind::Usage, "[backbone] an XCiT takes no patch masks: train it without iBOT");
    const torch::Tensor x = encode(group.images, is_training()).tokens;
    GroupFeatures out;
    out.cls = layer_norm(x.select(1, 0), *norm_);  // [B, D]
    if (tokens == Tokens::ClsAndPatches)
      out.patches = layer_norm(x.slice(1, 1), *norm_);  // [B, P, D]
    features.push_back(out);
  }
  return features;
}

Features Xcit::features_of(const Grid& grid, bool has_cls, bool norm) const {
  const torch::Tensor tokens = norm ? layer_norm(grid.tokens, *norm_) : grid.tokens;
  Features features;
  if (has_cls) features.cls = tokens.select(1, 0);
  features.patches = tokens.slice(1, has_cls ? 1 : 0);
  features.grid_height = static_cast<int>(grid.height);
  features.grid_width = static_cast<int>(grid.width);
  return features;
}

Features Xcit::forward_features(const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  return features_of(encode(images, /*batch_statistics=*/false), true, true);
}

std::vector<Features> Xcit::layers(const torch::Tensor& images, const std::vector<int>& blocks,
                                   bool norm) {
  const torch::NoGradGuard no_grad;
  std::vector<Features> outputs(blocks.size());
  Grid grid = embed(images, /*batch_statistics=*/false);
  for (int i = 0; i < depth(); ++i) {
    apply_block(i, grid, /*batch_statistics=*/false);
    for (std::size_t k = 0; k < blocks.size(); ++k)
      if (block_index(blocks[k], depth()) == i)
        outputs[k] = features_of(grid, i >= options_.depth, norm);
  }
  return outputs;
}

torch::Tensor Xcit::attention(const torch::Tensor& images, int block, AttentionRows /*rows*/) {
  const torch::NoGradGuard no_grad;
  const int index = block_index(block, depth());
  if (index < options_.depth)
    fail(ErrorKind::Usage,
         "[attention] block {} of an XCiT attends between channels; blocks {} to {} have attention "
         "of the class token",
         index, options_.depth, depth() - 1);
  Grid grid = embed(images, /*batch_statistics=*/false);
  for (int i = 0; i < index; ++i) apply_block(i, grid, /*batch_statistics=*/false);
  return cls_blocks_[static_cast<std::size_t>(index - options_.depth)]->attention(
      input_of(index, grid.tokens), precision_);
}

}  // namespace dino::model
