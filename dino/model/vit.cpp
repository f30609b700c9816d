#include "dino/model/vit.h"

#include <torch/torch.h>

#include <cmath>

#include "dino/base/error.h"
#include "dino/model/fused_embed.h"

namespace dino::model {

torch::Tensor interpolate_positions(const torch::Tensor& pos, std::int64_t grid_height,
                                    std::int64_t grid_width) {
  const std::int64_t count = pos.size(1) - 1, dim = pos.size(2);
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(count))));
  if (grid_height == side && grid_width == side) return pos;
  const torch::Tensor table =
      pos.narrow(1, 1, count).view({1, side, side, dim}).permute({0, 3, 1, 2});
  const auto scale = [side](std::int64_t size) {
    return (static_cast<double>(size) + 0.1) / static_cast<double>(side);
  };
  const torch::Tensor resampled =
      at::upsample_bicubic2d(table, {grid_height, grid_width}, /*align_corners=*/false,
                             scale(grid_height), scale(grid_width));
  return torch::cat({pos.narrow(1, 0, 1), resampled.permute({0, 2, 3, 1}).reshape({1, -1, dim})},
                    1);
}

VisionTransformer::VisionTransformer(const VitOptions& options, torch::Generator generator)
    : options_(options), generator_(generator) {
  const auto& encoder = options_.encoder;
  const std::int64_t side = options_.image_size / options_.patch_size;
  if (side < 1 || encoder.dim % encoder.heads != 0) {
    fail(ErrorKind::Config,
         "[backbone] image {} px, patch {} px, dim {}, heads {}: the image must hold a patch and "
         "heads must divide dim",
         options_.image_size, options_.patch_size, encoder.dim, encoder.heads);
  }
  const torch::NoGradGuard no_grad;
  cls_token_ = register_parameter("cls_token",
                                  torch::empty({1, 1, encoder.dim}).normal_(0.0, 0.02, generator));
  pos_embed_ = register_parameter(
      "pos_embed", torch::empty({1, 1 + side * side, encoder.dim}).normal_(0.0, 0.02, generator));
  if (options_.mask_token)
    mask_token_ = register_parameter("mask_token", torch::zeros({1, encoder.dim}));

  auto patch_embed = register_module("patch_embed", std::make_shared<torch::nn::Module>());
  const std::int64_t p = options_.patch_size, fan_in = options_.channels * p * p;
  patch_proj_ = patch_embed->register_module(
      "proj", std::make_shared<Affine>(
                  std::vector<std::int64_t>{encoder.dim, options_.channels, p, p}, encoder.dim));
  init_uniform(patch_proj_->weight, fan_in, generator);
  init_uniform(patch_proj_->bias, fan_in, generator);

  auto list = register_module("blocks", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < encoder.depth; ++i) {
    blocks_.push_back(
        list->register_module(std::to_string(i), std::make_shared<Block>(encoder, generator)));
  }
  norm_ = register_module("norm", make_norm(encoder.dim));
}

std::int64_t VisionTransformer::grid(std::int64_t pixels) const {
  return pixels / options_.patch_size;
}

VisionTransformer::Packed VisionTransformer::embed(const std::vector<CropGroup>& groups) {
  const std::int64_t p = options_.patch_size;
  Packed packed;
  std::vector<torch::Tensor> images, positions;
  bool masked = false;
  for (const auto& group : groups) {
    const auto& x = group.images;
    if (x.dim() != 4 || x.size(1) != options_.channels || x.size(2) < p || x.size(3) < p) {
      fail(ErrorKind::Usage,
           "[backbone] images of shape {}: expected [B, {}, H, W] with H and W at least {} px",
           fmt::join(x.sizes().vec(), " x "), options_.channels, p);
    }
    packed.layout.add(x.size(0), 1 + grid(x.size(2)) * grid(x.size(3)));
    images.push_back(x);
    positions.push_back(interpolate_positions(pos_embed_, grid(x.size(2)), grid(x.size(3))));
    masked = masked || group.masks.defined();
  }
  if (masked && !mask_token_.defined()) {
    fail(ErrorKind::Usage, "[backbone] masks were given, but this backbone has no mask token");
  }
  packed.tokens = fused_ && !masked && pos_embed_.device().is_cpu()
                      ? fused_embed(images, positions, patch_proj_->weight, patch_proj_->bias,
                                    cls_token_, packed.layout, precision_)
                      : compose_embed(groups, positions, packed.layout);
  return packed;
}

torch::Tensor VisionTransformer::compose_embed(const std::vector<CropGroup>& groups,
                                               const std::vector<torch::Tensor>& positions,
                                               const TokenLayout& layout) const {
  const std::int64_t p = options_.patch_size, dim = options_.encoder.dim;
  std::vector<torch::Tensor> rows;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto& images = groups[i].images;
    const std::int64_t b = images.size(0), gh = grid(images.size(2)), gw = grid(images.size(3));
    const torch::Tensor columns = images.narrow(2, 0, gh * p)
                                      .narrow(3, 0, gw * p)
                                      .reshape({b, options_.channels, gh, p, gw, p})
                                      .permute({0, 2, 4, 1, 3, 5})
                                      .reshape({b, gh * gw, -1});  // [B, P, C * p * p]
    torch::Tensor patches =
        linear(columns, patch_proj_->weight.view({dim, -1}), patch_proj_->bias, precision_);
    if (groups[i].masks.defined()) {
      patches =
          torch::where(groups[i].masks.unsqueeze(2), mask_token_.to(patches.dtype()), patches);
    }
    const torch::Tensor cls = (cls_token_ + positions[i].narrow(1, 0, 1)).expand({b, 1, dim});
    patches = patches + positions[i].narrow(1, 1, gh * gw);
    rows.push_back(torch::cat({cls, patches}, 1).view({b * layout.groups[i].tokens, dim}));
  }
  return torch::cat(rows);  // [T, D]
}

torch::Tensor VisionTransformer::encode(const Packed& packed, bool cls_only) {
  const auto& encoder = options_.encoder;
  const torch::Tensor drop = is_training()
                                 ? draw_drop_path(encoder, packed.layout.sequences(), generator_)
                                 : torch::Tensor();
  const bool even_heads =
      encoder.dim / encoder.heads % 2 == 0;  // the fused attention works on pairs
  if (fused_ && even_heads && packed.tokens.device().is_cpu()) {
    return fused_encoder(blocks_, encoder, packed.tokens, packed.layout, drop, cls_only,
                         precision_);
  }
  torch::Tensor x = packed.tokens;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const torch::Tensor factors =
        drop.defined() ? drop[static_cast<std::int64_t>(i)] : torch::Tensor();
    x = block_forward(*blocks_[i], encoder, x, packed.layout, factors,
                      cls_only && i + 1 == blocks_.size(), precision_);
  }
  return x;
}

std::vector<GroupFeatures> VisionTransformer::forward_groups(const std::vector<CropGroup>& groups,
                                                             Tokens tokens) {
  const std::int64_t dim = options_.encoder.dim;
  const bool cls_only = tokens == Tokens::Cls;
  const Packed packed = embed(groups);
  const torch::Tensor normed = layer_norm(encode(packed, cls_only), *norm_);  // [T or S, D]
  std::vector<GroupFeatures> features;
  std::int64_t first_sequence = 0;
  for (const auto& group : packed.layout.groups) {
    GroupFeatures out;
    if (cls_only) {
      out.cls = normed.narrow(0, first_sequence, group.sequences);
    } else {
      const torch::Tensor all = normed.narrow(0, group.first_row, group.sequences * group.tokens)
                                    .view({group.sequences, group.tokens, dim});
      out.cls = all.select(1, 0);
      out.patches = all.narrow(1, 1, group.tokens - 1);
    }
    features.push_back(out);
    first_sequence += group.sequences;
  }
  return features;
}

Features VisionTransformer::forward_features(const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  const auto groups = forward_groups({{images, {}}}, Tokens::ClsAndPatches);
  return {groups[0].cls, groups[0].patches, static_cast<int>(grid(images.size(2))),
          static_cast<int>(grid(images.size(3)))};
}

std::vector<torch::Tensor> VisionTransformer::last_layers(const torch::Tensor& images, int n,
                                                          bool norm) {
  const torch::NoGradGuard no_grad;
  const auto depth = static_cast<int>(blocks_.size());
  if (n < 1 || n > depth)
    fail(ErrorKind::Usage, "[last_layers] {} layers asked for: this backbone has 1 to {}", n,
         depth);
  const Packed packed = embed({{images, {}}});
  torch::Tensor x = packed.tokens;
  std::vector<torch::Tensor> outputs;
  for (int i = 0; i < depth; ++i) {
    x = block_forward(*blocks_[static_cast<std::size_t>(i)], options_.encoder, x, packed.layout, {},
                      false, precision_);
    if (i >= depth - n)
      outputs.push_back((norm ? layer_norm(x, *norm_) : x).view({images.size(0), -1, dim()}));
  }
  return outputs;
}

torch::Tensor VisionTransformer::last_attention(const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  const auto& encoder = options_.encoder;
  const Packed packed = embed({{images, {}}});
  torch::Tensor x = packed.tokens;
  for (std::size_t i = 0; i + 1 < blocks_.size(); ++i) {
    x = block_forward(*blocks_[i], encoder, x, packed.layout, {}, false, precision_);
  }
  const auto& last = *blocks_.back();
  const std::int64_t head_dim = encoder.dim / encoder.heads;
  const torch::Tensor qkv =
      linear(layer_norm(x, *last.norm1), last.qkv->weight, last.qkv->bias, precision_)
          .to(torch::kFloat32)
          .view({images.size(0), -1, 3, encoder.heads, head_dim})
          .permute({2, 0, 3, 1, 4});  // [3, B, H, N, d]
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_dim));
  return (qkv[0].matmul(qkv[1].transpose(-2, -1)) * scale).softmax(-1);
}

}  // namespace dino::model
