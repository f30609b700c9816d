// Parameters, initialization and basic operations shared by the backbones and the heads.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <utility>

#include "dino/model/backbone.h"

namespace dino::model {

inline constexpr double kNormEps = 1e-6;  ///< LayerNorm epsilon of DINO and DINOv2

/** A weight and an optional bias under their official names: the parameters of a linear layer, norm
 * or convolution. */
struct Affine : torch::nn::Module {
  Affine(std::vector<std::int64_t> weight_shape, std::int64_t bias_count);
  torch::Tensor weight, bias;  ///< bias is undefined when bias_count is 0
};

/** A linear layer with the reference's initialization: weight normal with standard deviation 0.02
 * (truncation at +-2 has no effect), bias 0. */
std::shared_ptr<Affine> make_linear(std::int64_t in, std::int64_t out, torch::Generator generator,
                                    bool bias = true);
/** A LayerNorm with gain 1 and bias 0. */
std::shared_ptr<Affine> make_norm(std::int64_t dim);
/** Fills with normal values of mean 0. If `generator` is undefined, this and init_uniform() do
 * nothing, since values will be loaded from a file. */
void init_normal(torch::Tensor& tensor, double deviation, torch::Generator generator);
/** Fills with uniform values in +-1/sqrt(fan_in), Torch's default for linear and convolution
 * layers. */
void init_uniform(torch::Tensor& tensor, std::int64_t fan_in, torch::Generator generator);

/** x W^T + b in the given precision: [.., in] -> [.., out]; the result has that precision's type.
 */
torch::Tensor linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                     Precision precision);
/** LayerNorm over the last axis, computed and returned in fp32. */
torch::Tensor layer_norm(const torch::Tensor& x, const Affine& norm, double eps = kNormEps);

/** {sin x, cos x}. Use it for every table of positions: MKL selects the kernels of its vector
 * functions at their first call, and if two threads make it at once, one may get a kernel with
 * only 11 correct bits (pytorch/pytorch#188792). */
std::pair<torch::Tensor, torch::Tensor> sine_and_cosine(const torch::Tensor& x);

inline torch::Dtype dtype_of(Precision precision) {
  return precision == Precision::Bf16 ? torch::kBFloat16 : torch::kFloat32;
}

}  // namespace dino::model
