#include "dino/model/vit.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "dino/base/error.h"
#include "dino/model/fused_embed.h"
#include "dino/model/fused_encoder.h"

namespace dino::model {
namespace {

/** Sizes whose tables are kept. Images of every shape have thousands, each as large as an image's
 * tokens. */
constexpr std::size_t kSizesKept = 8;

bool has_even_heads(const arch::Vit& vit) {
  return vit.dim / vit.heads % 2 == 0;
}

}  // namespace

torch::Tensor interpolate_positions(const torch::Tensor& pos, std::int64_t grid_height,
                                    std::int64_t grid_width, arch::Positions mode,
                                    bool square_image) {
  const std::int64_t count = pos.size(1) - 1, dim = pos.size(2);
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(count))));
  if (grid_height == side && grid_width == side && square_image) return pos;
  const torch::Tensor table =
      pos.narrow(1, 1, count).view({1, side, side, dim}).permute({0, 3, 1, 2});
  const std::vector<std::int64_t> size = {grid_height, grid_width};
  torch::Tensor resampled;
  if (mode == arch::Positions::LearnedAntialias) {
    resampled = at::_upsample_bicubic2d_aa(table, size, /*align_corners=*/false);
  } else if (mode == arch::Positions::LearnedSize) {
    resampled = at::upsample_bicubic2d(table, size, /*align_corners=*/false);
  } else {  // the 0.1 moves the sampling points: (dst + 0.5) * M / (grid + 0.1) - 0.5
    const auto scale = [side](std::int64_t cells) {
      return (static_cast<double>(cells) + 0.1) / static_cast<double>(side);
    };
    resampled = at::upsample_bicubic2d(table, size, /*align_corners=*/false, scale(grid_height),
                                       scale(grid_width));
  }
  return torch::cat({pos.narrow(1, 0, 1), resampled.permute({0, 2, 3, 1}).reshape({1, -1, dim})},
                    1);
}

VisionTransformer::VisionTransformer(const arch::Architecture& architecture,
                                     const TrainingOptions& options, torch::Generator generator)
    : architecture_(architecture), options_(options), generator_(generator) {
  arch::validate(architecture_);
  const arch::Vit& v = vit();
  const bool rope = v.rotary();
  // DINOv2 starts its tokens near zero; DINO and DINOv3 do not.
  const double token_deviation = v.layer_scale && !rope ? 1e-6 : 0.02;
  const torch::NoGradGuard no_grad;
  const auto normal = [&](std::vector<std::int64_t> shape, double deviation) {
    torch::Tensor tensor = torch::empty(shape);
    init_normal(tensor, deviation, generator_);
    return tensor;
  };
  cls_token_ = register_parameter("cls_token", normal({1, 1, v.dim}, token_deviation));
  if (!rope) {
    const std::int64_t side = architecture_.image_size / v.patch_size;
    pos_embed_ = register_parameter("pos_embed", normal({1, 1 + side * side, v.dim}, 0.02));
  }
  if (v.registers > 0)
    register_tokens_ =
        register_parameter("register_tokens", normal({1, v.registers, v.dim}, token_deviation));
  if (v.mask_token) mask_token_ = register_parameter("mask_token", torch::zeros({1, v.dim}));

  auto patch_embed = register_module("patch_embed", std::make_shared<torch::nn::Module>());
  const std::int64_t p = v.patch_size, fan_in = architecture_.channels * p * p;
  patch_proj_ = patch_embed->register_module(
      "proj", std::make_shared<Affine>(
                  std::vector<std::int64_t>{v.dim, architecture_.channels, p, p}, v.dim));
  init_uniform(patch_proj_->weight, fan_in, generator_);
  init_uniform(patch_proj_->bias, fan_in, generator_);

  auto list = register_module("blocks", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < v.depth; ++i)
    blocks_.push_back(list->register_module(
        std::to_string(i), std::make_shared<Block>(v, options.layer_scale, generator_)));
  norm_ = register_module("norm", make_norm(v.dim));
  if (v.untie_cls_and_patch_norms) cls_norm_ = register_module("cls_norm", make_norm(v.dim));
  if (v.local_cls_norm) local_cls_norm_ = register_module("local_cls_norm", make_norm(v.dim));
}

void VisionTransformer::check_images(const torch::Tensor& x) const {
  const std::int64_t p = vit().patch_size;
  if (x.dim() != 4 || x.size(1) != architecture_.channels || x.size(2) < p || x.size(3) < p) {
    fail(ErrorKind::Usage,
         "[backbone] images of shape {}: expected [B, {}, H, W] with H and W at least {} px",
         fmt::join(x.sizes().vec(), " x "), architecture_.channels, p);
  }
}

void VisionTransformer::set_precision(Precision precision) {
  if (precision == Precision::Int8 && !has_even_heads(vit()))
    fail(ErrorKind::Usage,
         "[precision] int8 needs heads of even width, this network's are {} wide; use --precision "
         "fp32 or bf16",
         vit().dim / vit().heads);
  precision_ = precision;
  if (frozen_) {
    const std::lock_guard lock(frozen_->mutex);
    frozen_->engine = nullptr;
  }
}

void VisionTransformer::freeze() {
  Backbone::freeze();
  frozen_ = std::make_unique<Frozen>();
}

bool VisionTransformer::runs_repacked() const {
  return frozen_ && fused_ && cls_token_.device().is_cpu() && has_even_heads(vit());
}

Computed VisionTransformer::computed() const {
  if (runs_repacked()) return FrozenVit::computed(precision_);
  Computed by_torch = Backbone::computed();
  if (by_torch.precision == Precision::Int8) by_torch.precision = Precision::Fp32;
  return by_torch;
}

std::shared_ptr<const FrozenVit> VisionTransformer::engine() const {
  if (!runs_repacked()) return nullptr;
  const std::lock_guard lock(frozen_->mutex);
  if (!frozen_->engine) {
    const auto parameters = named_parameters();
    frozen_->engine = std::make_shared<FrozenVit>(
        architecture_, precision_, [&](const std::string& name) { return parameters[name]; },
        [this] { drop_mapped_pages(); });
  }
  return frozen_->engine;
}

FrozenVit::Input VisionTransformer::frozen_input(const torch::Tensor& images) const {
  check_images(images);
  const std::int64_t p = vit().patch_size, height = images.size(2) / p, width = images.size(3) / p;
  const bool square = images.size(2) == images.size(3);
  const std::lock_guard lock(frozen_->mutex);
  auto& tables = frozen_->tables;
  const auto known = std::ranges::find_if(tables, [&](const Table& table) {
    return table.grid_height == height && table.grid_width == width && table.square == square;
  });
  if (known != tables.end()) {
    tables.splice(tables.begin(), tables, known);
  } else {
    Table table{.grid_height = height, .grid_width = width, .square = square};
    if (pos_embed_.defined())
      table.positions =
          interpolate_positions(pos_embed_, height, width, vit().positions, square).contiguous();
    if (vit().rotary())
      table.rope = rope_table(vit(), height, width, {}, {}, options_.rope_type).to(torch::kFloat32);
    tables.push_front(std::move(table));
    if (tables.size() > kSizesKept) tables.pop_back();
  }
  const Table& table = tables.front();
  return {images.to(torch::kFloat32).contiguous(), table.positions, table.rope, stop_};
}

VisionTransformer::Packed VisionTransformer::embed(const std::vector<CropGroup>& groups) {
  const std::int64_t p = vit().patch_size;
  Packed packed;
  std::vector<torch::Tensor> positions;
  bool masked = false;
  for (const auto& group : groups) {
    const auto& x = group.images;
    check_images(x);
    const std::int64_t height = x.size(2) / p, width = x.size(3) / p;
    packed.layout.add(x.size(0), prefix() + height * width);
    packed.grids.emplace_back(height, width);
    positions.push_back(pos_embed_.defined()
                            ? interpolate_positions(pos_embed_, height, width, vit().positions,
                                                    x.size(2) == x.size(3))
                            : torch::zeros({1, 1 + height * width, dim()}, cls_token_.options()));
    masked = masked || group.masks.defined();
  }
  if (masked && !mask_token_.defined()) {
    fail(ErrorKind::Usage, "[backbone] masks were given, but this backbone has no mask token");
  }
  packed.tokens = fused_ && cls_token_.device().is_cpu()
                      ? fused_embed(groups, positions,
                                    {patch_proj_->weight, patch_proj_->bias, cls_token_,
                                     register_tokens_, mask_token_},
                                    packed.layout, precision_)
                      : compose_embed(groups, positions, packed.layout);
  return packed;
}

torch::Tensor VisionTransformer::compose_embed(const std::vector<CropGroup>& groups,
                                               const std::vector<torch::Tensor>& positions,
                                               const TokenLayout& layout) const {
  const std::int64_t p = vit().patch_size, dim = vit().dim;
  std::vector<torch::Tensor> rows;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto& images = groups[i].images;
    const std::int64_t b = images.size(0), gh = images.size(2) / p, gw = images.size(3) / p;
    const torch::Tensor columns = images.narrow(2, 0, gh * p)
                                      .narrow(3, 0, gw * p)
                                      .reshape({b, architecture_.channels, gh, p, gw, p})
                                      .permute({0, 2, 4, 1, 3, 5})
                                      .reshape({b, gh * gw, -1});  // [B, P, C * p * p]
    torch::Tensor patches =
        linear(columns, patch_proj_->weight.view({dim, -1}), patch_proj_->bias, precision_)
            .to(torch::kFloat32);
    if (groups[i].masks.defined())
      patches = torch::where(groups[i].masks.unsqueeze(2), mask_token_, patches);
    const torch::Tensor cls = cls_token_ + positions[i].narrow(1, 0, 1);
    patches = patches + positions[i].narrow(1, 1, gh * gw);
    std::vector<torch::Tensor> parts;
    parts.push_back(cls.expand({b, 1, dim}));
    if (register_tokens_.defined()) parts.push_back(register_tokens_.expand({b, -1, dim}));
    parts.push_back(patches);
    rows.push_back(torch::cat(parts, 1).view({b * layout.groups[i].tokens, dim}));
  }
  return torch::cat(rows);  // [T, D]
}

std::vector<torch::Tensor> VisionTransformer::rope_tables(const Packed& packed) const {
  std::vector<torch::Tensor> tables;
  if (!vit().rotary()) return tables;
  const RopeAugment augment = is_training() ? options_.rope_augment : RopeAugment{};
  for (const auto& [height, width] : packed.grids)
    tables.push_back(rope_table(vit(), height, width, augment, generator_, options_.rope_type)
                         .to(packed.tokens.device()));
  return tables;
}

torch::Tensor VisionTransformer::encode(const Packed& packed, bool cls_only) {
  const arch::Vit& v = vit();
  const torch::Tensor drop = is_training()
                                 ? draw_drop_path(options_.drop_path_rule, options_.drop_path,
                                                  v.depth, packed.layout, generator_)
                                 : torch::Tensor();
  const bool redraw = is_training() && options_.rope_augment.any();
  auto rope = rope_tables(packed);
  if (fused_ && has_even_heads(v) && packed.tokens.device().is_cpu()) {
    std::vector<std::vector<torch::Tensor>> by_block = {rope};
    while (redraw && by_block.size() < blocks_.size()) by_block.push_back(rope_tables(packed));
    return fused_encoder(blocks_, v, packed.tokens,
                         {.layout = packed.layout,
                          .drop = drop,
                          .rope = by_block,
                          .cls_only = cls_only,
                          .precision = precision_});
  }
  torch::Tensor x = packed.tokens;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    stop_if_asked();
    if (redraw && i > 0) rope = rope_tables(packed);
    x = block_forward(*blocks_[i], v, x,
                      {.layout = packed.layout,
                       .rope = rope,
                       .drop = drop.defined() ? drop[static_cast<std::int64_t>(i)] : drop,
                       .cls_only = cls_only && i + 1 == blocks_.size(),
                       .precision = precision_});
  }
  return x;
}

torch::Tensor VisionTransformer::final_norm(const torch::Tensor& tokens, bool local) const {
  const auto& own = local && is_training() && local_cls_norm_ ? local_cls_norm_ : cls_norm_;
  if (!own) return layer_norm(tokens, *norm_, vit().norm_eps);
  const std::int64_t count = std::min(prefix(), tokens.size(1));
  return torch::cat(
      {layer_norm(tokens.narrow(1, 0, count), *own, vit().norm_eps),
       layer_norm(tokens.narrow(1, count, tokens.size(1) - count), *norm_, vit().norm_eps)},
      1);
}

std::vector<GroupFeatures> VisionTransformer::forward_groups(const std::vector<CropGroup>& groups,
                                                             Tokens tokens) {
  const std::int64_t dim = vit().dim;
  const bool cls_only = tokens == Tokens::Cls;
  if (groups.size() == 1 && !groups[0].masks.defined()) {
    if (const auto net = engine()) {
      const torch::NoGradGuard no_grad;
      if (cls_only) return {{net->cls(frozen_input(groups[0].images)), {}}};
      const Features all = forward_features(groups[0].images);
      return {{all.cls, all.patches}};
    }
  }
  const Packed packed = embed(groups);
  const torch::Tensor encoded = encode(packed, cls_only);  // [T or S, D]
  std::vector<GroupFeatures> features;
  std::int64_t first_sequence = 0;
  for (const auto& group : packed.layout.groups) {
    const bool local = !features.empty();  // the first group holds the global crops
    GroupFeatures out;
    if (cls_only) {
      const torch::Tensor cls = encoded.narrow(0, first_sequence, group.sequences);  // [B, D]
      out.cls = final_norm(cls.unsqueeze(1), local).squeeze(1);
    } else {
      const torch::Tensor all =
          final_norm(encoded.narrow(0, group.first_row, group.sequences * group.tokens)
                         .view({group.sequences, group.tokens, dim}),
                     local);
      out.cls = all.select(1, 0);
      out.patches = all.narrow(1, prefix(), group.tokens - prefix());
    }
    features.push_back(out);
    first_sequence += group.sequences;
  }
  return features;
}

Features VisionTransformer::split_tokens(const torch::Tensor& tokens, std::int64_t grid_height,
                                         std::int64_t grid_width) const {
  Features out;
  out.cls = tokens.select(1, 0);
  out.patches = tokens.narrow(1, prefix(), tokens.size(1) - prefix());
  if (vit().registers > 0) out.registers = tokens.narrow(1, 1, vit().registers);
  out.grid_height = static_cast<int>(grid_height);
  out.grid_width = static_cast<int>(grid_width);
  return out;
}

Features VisionTransformer::forward_features(const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  if (engine() != nullptr) return layers(images, {-1}, true)[0];
  const Packed packed = embed({{images, {}}});
  const torch::Tensor tokens = encode(packed, false).view({images.size(0), -1, dim()});
  return split_tokens(final_norm(tokens), packed.grids[0].first, packed.grids[0].second);
}

std::vector<Features> VisionTransformer::layers(const torch::Tensor& images,
                                                const std::vector<int>& blocks, bool norm) {
  const torch::NoGradGuard no_grad;
  std::vector<FrozenVit::Tap> taps;
  for (const int block : blocks)
    taps.push_back({.block = block_index(block, depth()), .norm = norm, .tokens = {}});
  if (const auto net = engine()) {
    net->forward(frozen_input(images), taps);
  } else {
    const Packed packed = embed({{images, {}}});
    const auto rope = rope_tables(packed);
    torch::Tensor x = packed.tokens;
    for (int i = 0; i < depth(); ++i) {
      stop_if_asked();
      x = block_forward(*blocks_[static_cast<std::size_t>(i)], vit(), x,
                        {.layout = packed.layout, .rope = rope, .precision = precision_});
      const torch::Tensor tokens = x.view({images.size(0), -1, dim()});
      for (auto& tap : taps)
        if (tap.block == i) tap.tokens = norm ? final_norm(tokens) : tokens;
    }
  }
  std::vector<Features> outputs;
  for (const auto& tap : taps)
    outputs.push_back(split_tokens(tap.tokens, images.size(2) / vit().patch_size,
                                   images.size(3) / vit().patch_size));
  return outputs;
}

torch::Tensor VisionTransformer::encode_before(const Packed& packed, int block) {
  const auto rope = rope_tables(packed);
  torch::Tensor x = packed.tokens;
  for (int i = 0; i < block; ++i) {
    stop_if_asked();
    x = block_forward(*blocks_[static_cast<std::size_t>(i)], vit(), x,
                      {.layout = packed.layout, .rope = rope, .precision = precision_});
  }
  return x;
}

torch::Tensor VisionTransformer::attention(const torch::Tensor& images, int block,
                                           AttentionRows rows) {
  const torch::NoGradGuard no_grad;
  const int index = block_index(block, depth());
  const Packed packed = embed({{images, {}}});
  const auto rope = rope_tables(packed);
  const Block& b = *blocks_[static_cast<std::size_t>(index)];
  const torch::Tensor qkv =
      linear(layer_norm(encode_before(packed, index), *b.norm1, vit().norm_eps), b.qkv->weight,
             b.qkv_bias(), precision_)
          .to(torch::kFloat32);
  const torch::Tensor parts =
      split_heads(qkv, vit(), {.layout = packed.layout, .rope = rope}, 0);  // [3, B, h, N, d]
  const torch::Tensor query =
      rows == AttentionRows::Prefix ? parts[0].narrow(2, 0, prefix()) : parts[0];
  const double scale = 1.0 / std::sqrt(static_cast<double>(dim() / vit().heads));
  return (query.matmul(parts[1].transpose(-2, -1)) * scale).softmax(-1);
}

}  // namespace dino::model
