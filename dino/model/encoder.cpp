// Token layout, block parameters and the plain composition; the fast CPU path is fused_encoder.cpp.
#include "dino/model/encoder.h"

#include <torch/torch.h>

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

Block::Block(const EncoderOptions& options, torch::Generator generator) {
  const auto dim = options.dim;
  norm1 = register_module("norm1", make_norm(dim));
  auto attn = register_module("attn", std::make_shared<torch::nn::Module>());
  qkv = attn->register_module("qkv", make_linear(dim, 3 * dim, generator));
  proj = attn->register_module("proj", make_linear(dim, dim, generator));
  norm2 = register_module("norm2", make_norm(dim));
  auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
  fc1 = mlp->register_module("fc1", make_linear(dim, options.hidden, generator));
  fc2 = mlp->register_module("fc2", make_linear(options.hidden, dim, generator));
}

torch::Tensor draw_drop_path(const EncoderOptions& options, std::int64_t sequences,
                             torch::Generator generator) {
  if (options.drop_path <= 0) return {};
  const torch::NoGradGuard no_grad;
  torch::Tensor factors = torch::ones({options.depth, 2, sequences});
  for (std::int64_t i = 1; i < options.depth; ++i) {  // block 0 never drops
    const double keep =
        1.0 - options.drop_path * static_cast<double>(i) / static_cast<double>(options.depth - 1);
    factors[i].bernoulli_(keep, generator).div_(keep);
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

torch::Tensor block_forward(const Block& block, const EncoderOptions& options,
                            const torch::Tensor& x, const TokenLayout& layout,
                            const torch::Tensor& drop, bool cls_only, Precision precision) {
  const std::int64_t dim = options.dim, heads = options.heads, head_dim = dim / heads;
  const torch::Tensor normed = layer_norm(x, *block.norm1);
  const torch::Tensor cls_rows = cls_only ? layout.cls_rows().to(x.device()) : torch::Tensor();
  const torch::Tensor qkv =
      linear(normed, block.qkv->weight, block.qkv->bias, precision);  // [T, 3D]

  std::vector<torch::Tensor> outputs;
  for (const auto& group : layout.groups) {
    const auto parts = qkv.narrow(0, group.first_row, group.sequences * group.tokens)
                           .view({group.sequences, group.tokens, 3, heads, head_dim})
                           .permute({2, 0, 3, 1, 4});  // [3, B, H, N, d]
    const torch::Tensor query = cls_only ? parts[0].narrow(2, 0, 1) : parts[0];
    outputs.push_back(at::scaled_dot_product_attention(query, parts[1], parts[2])
                          .transpose(1, 2)
                          .reshape({-1, dim}));
  }
  const auto scaled = [&](const torch::Tensor& branch, std::int64_t which) {
    if (!drop.defined()) return branch;
    return branch * (cls_only ? drop[which] : factors_per_row(drop[which], layout)).unsqueeze(1);
  };
  torch::Tensor out = cls_only ? x.index_select(0, cls_rows) : x;
  out =
      out + scaled(linear(torch::cat(outputs), block.proj->weight, block.proj->bias, precision), 0);
  const torch::Tensor hidden = at::gelu(
      linear(layer_norm(out, *block.norm2), block.fc1->weight, block.fc1->bias, precision));
  return out + scaled(linear(hidden, block.fc2->weight, block.fc2->bias, precision), 1);
}

}  // namespace dino::model
