#include "dino/model/conv_layers.h"

#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

#include "dino/base/error.h"

namespace dino::model {
namespace {

constexpr double kBatchNormEps = 1e-5;
constexpr double kBatchNormMomentum = 0.1;  // weight of the newest batch in the running statistics

}  // namespace

BatchNorm::BatchNorm(std::int64_t channels) : Affine({channels}, channels) {
  const torch::NoGradGuard no_grad;
  weight.fill_(1.0);
  running_mean = register_buffer("running_mean", torch::zeros({channels}));
  running_var = register_buffer("running_var", torch::ones({channels}));
  num_batches_tracked = register_buffer("num_batches_tracked", torch::zeros({}, torch::kInt64));
}

torch::Tensor BatchNorm::operator()(const torch::Tensor& x, bool batch_statistics) const {
  if (batch_statistics && x.numel() == x.size(1)) {
    fail(ErrorKind::Config,
         "[backbone] a batch norm has one value per channel to normalize by: use a batch of 2 or "
         "more, or larger crops");
  }
  if (batch_statistics) num_batches_tracked.add_(1);
  return at::batch_norm(x, weight, bias, running_mean, running_var, batch_statistics,
                        kBatchNormMomentum, kBatchNormEps, /*cudnn_enabled=*/true);
}

std::shared_ptr<Affine> make_convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                         std::int64_t groups) {
  return std::make_shared<Affine>(std::vector<std::int64_t>{out, in / groups, kernel, kernel}, out);
}

torch::Tensor depthwise(const torch::Tensor& x, const Affine& convolution) {
  const torch::Tensor& weight = convolution.weight;
  return at::conv2d(x.to(torch::kFloat32), weight, convolution.bias, /*stride=*/1,
                    /*padding=*/weight.size(2) / 2, /*dilation=*/1, /*groups=*/weight.size(0));
}

torch::Tensor convolve_patches(const torch::Tensor& x, const Affine& convolution,
                               Precision precision) {
  const torch::Tensor& weight = convolution.weight;
  const std::int64_t k = weight.size(2), in = weight.size(1), out = weight.size(0);
  const std::int64_t b = x.size(0), h = x.size(1) / k, w = x.size(2) / k;
  const torch::Tensor columns = x.narrow(1, 0, h * k)
                                    .narrow(2, 0, w * k)
                                    .reshape({b, h, k, w, k, in})
                                    .permute({0, 1, 3, 2, 4, 5})
                                    .reshape({b, h, w, k * k * in});  // [B, H/k, W/k, k * k * C]
  return linear(columns, weight.permute({0, 2, 3, 1}).reshape({out, -1}), convolution.bias,
                precision)
      .to(torch::kFloat32);
}

}  // namespace dino::model
