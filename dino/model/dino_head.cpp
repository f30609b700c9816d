#include "dino/model/dino_head.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

namespace dino::model {

DinoHead::DinoHead(std::int64_t in_dim, const DinoHeadOptions& options, torch::Generator generator)
    : options_(options) {
  // The reference builds an nn.Sequential: its indices skip GELU (and, with batch norm, count the
  // norms).
  mlp_ = register_module("mlp", std::make_shared<torch::nn::Module>());
  int index = 0;
  std::int64_t width = in_dim;
  for (int i = 0; i < options.layers; ++i) {
    const bool last = i + 1 == options.layers;
    const std::int64_t out = last ? options.bottleneck : options.hidden;
    linears_.push_back(
        mlp_->register_module(std::to_string(index++), make_linear(width, out, generator)));
    width = out;
    if (last) break;
    if (options.batch_norm) {
      norms_.push_back(mlp_->register_module(std::to_string(index++), torch::nn::BatchNorm1d(out)));
    }
    ++index;  // GELU
  }
  last_layer_ = register_module("last_layer", std::make_shared<torch::nn::Module>());
  const torch::NoGradGuard no_grad;
  torch::Tensor direction = torch::empty({options.prototypes, options.bottleneck});
  if (options.weight_norm) {
    gain_ = last_layer_->register_parameter("weight_g", torch::ones({options.prototypes, 1}));
    init_uniform(direction, options.bottleneck, generator);
  } else {
    init_normal(direction, 0.02, generator);
  }
  direction_ =
      last_layer_->register_parameter(options.weight_norm ? "weight_v" : "weight", direction);
}

torch::Tensor DinoHead::forward(const torch::Tensor& x) {
  torch::Tensor h = x;
  for (std::size_t i = 0; i < linears_.size(); ++i) {
    h = linear(h, linears_[i]->weight, linears_[i]->bias, precision_);
    if (i + 1 == linears_.size()) break;
    if (options_.batch_norm) h = norms_[i]->forward(h.to(torch::kFloat32));
    h = at::gelu(h);
  }
  h = h.to(torch::kFloat32);
  h = h / h.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);  // [N, bottleneck]
  const torch::Tensor weight =
      options_.weight_norm ? at::_weight_norm(direction_, gain_, 0) : direction_;
  return linear(h, weight, {}, precision_);  // [N, K]
}

}  // namespace dino::model
