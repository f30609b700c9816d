#include "dino/model/layers.h"

#include <torch/nn/functional/linear.h>

#include <cmath>

namespace dino::model {

Affine::Affine(std::vector<std::int64_t> weight_shape, std::int64_t bias_count) {
  weight = register_parameter("weight", torch::empty(weight_shape));
  if (bias_count > 0) bias = register_parameter("bias", torch::zeros({bias_count}));
}

std::shared_ptr<Affine> make_linear(std::int64_t in, std::int64_t out, torch::Generator generator,
                                    bool bias) {
  auto layer = std::make_shared<Affine>(std::vector<std::int64_t>{out, in}, bias ? out : 0);
  init_normal(layer->weight, 0.02, generator);
  return layer;
}

std::shared_ptr<Affine> make_norm(std::int64_t dim) {
  auto norm = std::make_shared<Affine>(std::vector<std::int64_t>{dim}, dim);
  const torch::NoGradGuard no_grad;
  norm->weight.fill_(1.0);
  return norm;
}

void init_normal(torch::Tensor& tensor, double deviation, torch::Generator generator) {
  if (!generator.defined()) return;
  const torch::NoGradGuard no_grad;
  tensor.normal_(0.0, deviation, generator);
}

void init_uniform(torch::Tensor& tensor, std::int64_t fan_in, torch::Generator generator) {
  if (!generator.defined()) return;
  const torch::NoGradGuard no_grad;
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  tensor.uniform_(-bound, bound, generator);
}

torch::Tensor linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                     Precision precision) {
  const auto type = dtype_of(precision);
  return at::linear(x.to(type), weight.to(type), bias.defined() ? bias.to(type) : bias);
}

torch::Tensor layer_norm(const torch::Tensor& x, const Affine& norm, double eps) {
  return at::layer_norm(x.to(torch::kFloat32), {norm.weight.size(0)}, norm.weight, norm.bias, eps);
}

std::pair<torch::Tensor, torch::Tensor> sine_and_cosine(const torch::Tensor& x) {
  [[maybe_unused]] static const bool settled = [] {  // on one thread: too few elements to share out
    for (const auto type : {torch::kFloat32, torch::kFloat64}) {
      const torch::Tensor few = torch::zeros({16}, type);
      at::sin(few);
      at::cos(few);
    }
    return true;
  }();
  return {x.sin(), x.cos()};
}

}  // namespace dino::model
