// Token layout, block parameters and the plain composition; the fast CPU path is fused_encoder.cpp.
#include "dino/model/encoder.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>

#include "dino/model/rope.h"

namespace dino::model {

void TokenLayout::add(std::int64_t sequences, std::int64_t tokens) {
  groups.push_back({sequences, tokens, rows()});
}

std::int64_t TokenLayout::rows() const {
  return groups.empty() ? 0
                        : groups.back().first_row + groups.back().sequences * groups.back().tokens;
}

std::int64_t TokenLayout::sequences() const {
  std::int64_t count = 0;
  for (const auto& group : groups) count += group.sequences;
  return count;
}

torch::Tensor TokenLayout::cls_rows() const {
  std::vector<torch::Tensor> parts;
  for (const auto& group : groups) {
    parts.push_back(torch::arange(group.sequences, torch::kInt64) * group.tokens + group.first_row);
  }
  return torch::cat(parts);
}

Block::Block(const arch::Vit& vit, double layer_scale, torch::Generator generator) {
  const auto dim = vit.dim;
  const auto add_layer_scale = [&](const char* name) {
    if (!vit.layer_scale) return torch::Tensor();
    return register_module(name, std::make_shared<torch::nn::Module>())
        ->register_parameter("gamma", torch::full({dim}, layer_scale));
  };
  norm1 = register_module("norm1", make_norm(dim));
  auto attn = register_module("attn", std::make_shared<torch::nn::Module>());
  qkv = attn->register_module("qkv", make_linear(dim, 3 * dim, generator, vit.qkv_bias));
  proj = attn->register_module("proj", make_linear(dim, dim, generator));
  ls1 = add_layer_scale("ls1");
  norm2 = register_module("norm2", make_norm(dim));
  auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
  if (vit.ffn == arch::Ffn::Mlp) {
    fc1 = mlp->register_module("fc1", make_linear(dim, vit.hidden, generator));
    fc2 = mlp->register_module("fc2", make_linear(vit.hidden, dim, generator));
  } else {
    fc1 = mlp->register_module("w12", make_linear(dim, 2 * vit.hidden, generator));
    fc2 = mlp->register_module("w3", make_linear(vit.hidden, dim, generator));
  }
  ls2 = add_layer_scale("ls2");
  if (vit.mask_key_bias && vit.qkv_bias) {
    key_mask = torch::ones({3 * dim});
    key_mask.narrow(0, dim, dim).zero_();
  }
}

torch::Tensor Block::qkv_bias() const {
  return key_mask.defined() ? qkv->bias * key_mask.to(qkv->bias.device()) : qkv->bias;
}

namespace {

/** Factors [B] of one branch: B / kept for `kept` random sequences, 0 for the others. */
torch::Tensor draw_subset(double rate, std::int64_t sequences, const torch::Generator& generator) {
  const auto kept = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(static_cast<double>(sequences) * (1 - rate)));
  torch::Tensor factors = torch::zeros({sequences});
  const torch::Tensor order = torch::randperm(sequences, generator, torch::kInt64);
  return factors.index_fill_(0, order.narrow(0, 0, kept),
                             static_cast<double>(sequences) / static_cast<double>(kept));
}

}  // namespace

torch::Tensor draw_drop_path(DropPath rule, double rate, std::int64_t depth,
                             const TokenLayout& layout, torch::Generator generator) {
  if (rate <= 0) return {};
  const torch::NoGradGuard no_grad;
  torch::Tensor factors = torch::ones({depth, 2, layout.sequences()});
  if (rule == DropPath::Linear) {
    for (std::int64_t i = 1; i < depth; ++i) {  // block 0 never drops
      const double keep = 1.0 - rate * static_cast<double>(i) / static_cast<double>(depth - 1);
      factors[i].bernoulli_(keep, generator).div_(keep);
    }
    return factors;
  }
  for (std::int64_t branch = 0; branch < 2 * depth; ++branch) {
    std::int64_t first = 0;
    for (const TokenLayout::Group& group : layout.groups) {
      factors.view({2 * depth, -1})[branch]
          .narrow(0, first, group.sequences)
          .copy_(draw_subset(rate, group.sequences, generator));
      first += group.sequences;
    }
  }
  return factors;
}

torch::Tensor factors_per_row(const torch::Tensor& factors, const TokenLayout& layout) {
  std::vector<torch::Tensor> parts;
  std::int64_t first = 0;
  for (const auto& group : layout.groups) {
    parts.push_back(factors.narrow(0, first, group.sequences).repeat_interleave(group.tokens));
    first += group.sequences;
  }
  return torch::cat(parts);
}

torch::Tensor split_heads(const torch::Tensor& qkv, const arch::Vit& vit, const BlockPass& pass,
                          std::size_t group) {
  const auto& g = pass.layout.groups[group];
  const torch::Tensor parts = qkv.narrow(0, g.first_row, g.sequences * g.tokens)
                                  .view({g.sequences, g.tokens, 3, vit.heads, vit.dim / vit.heads})
                                  .permute({2, 0, 3, 1, 4});  // [3, B, h, N, d]
  if (pass.rope.empty()) return parts;
  const std::int64_t prefix = 1 + vit.registers;
  return torch::stack({apply_rope(parts[0], pass.rope[group], prefix),
                       apply_rope(parts[1], pass.rope[group], prefix), parts[2]});
}

torch::Tensor block_forward(const Block& block, const arch::Vit& vit, const torch::Tensor& x,
                            const BlockPass& pass) {
  const TokenLayout& layout = pass.layout;
  const auto norm = [&](const torch::Tensor& tokens, const Affine& affine) {
    return layer_norm(tokens, affine, vit.norm_eps);
  };
  const torch::Tensor qkv = linear(norm(x, *block.norm1), block.qkv->weight, block.qkv_bias(),
                                   pass.precision);  // [T, 3D]
  std::vector<torch::Tensor> outputs;
  for (std::size_t g = 0; g < layout.groups.size(); ++g) {
    const torch::Tensor parts = split_heads(qkv, vit, pass, g);
    const torch::Tensor query = pass.cls_only ? parts[0].narrow(2, 0, 1) : parts[0];
    outputs.push_back(at::scaled_dot_product_attention(query, parts[1], parts[2])
                          .transpose(1, 2)
                          .reshape({-1, vit.dim}));
  }
  const auto scaled = [&](torch::Tensor branch, const torch::Tensor& gain, std::int64_t which) {
    if (gain.defined()) branch = branch * gain;
    if (!pass.drop.defined()) return branch;
    const torch::Tensor factors = pass.drop[which];
    return branch * (pass.cls_only ? factors : factors_per_row(factors, layout)).unsqueeze(1);
  };
  torch::Tensor out = pass.cls_only ? x.index_select(0, layout.cls_rows().to(x.device())) : x;
  out = out +
        scaled(linear(torch::cat(outputs), block.proj->weight, block.proj->bias, pass.precision),
               block.ls1, 0);
  torch::Tensor hidden =
      linear(norm(out, *block.norm2), block.fc1->weight, block.fc1->bias, pass.precision);
  if (vit.ffn == arch::Ffn::Mlp) {
    hidden = at::gelu(hidden);
  } else {
    const auto halves = hidden.chunk(2, 1);
    hidden = at::silu(halves[0]) * halves[1];  // [T, 2 hidden] -> [T, hidden]
  }
  return out +
         scaled(linear(hidden, block.fc2->weight, block.fc2->bias, pass.precision), block.ls2, 1);
}

}  // namespace dino::model
