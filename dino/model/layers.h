// The parameter holders and matrix products shared by the ViT and the heads.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <utility>

#include "dino/model/backbone.h"

namespace dino::model {

inline constexpr double kNormEps = 1e-6;  ///< of DINO and DINOv2

/** A weight and (optionally) a bias under their official names; no arithmetic of its own. Holds
 * linear layers and norms. */
struct Affine : torch::nn::Module {
  Affine(std::vector<std::int64_t> weight_shape, std::int64_t bias_count);
  torch::Tensor weight, bias;  ///< bias is undefined when bias_count is 0
};

/** A linear layer with the reference's initialization: weight normal of standard deviation 0.02
 * (its truncation at +-2 never acts), bias 0. */
std::shared_ptr<Affine> make_linear(std::int64_t in, std::int64_t out, torch::Generator generator,
                                    bool bias = true);
/** A LayerNorm's gain 1 and bias 0. */
std::shared_ptr<Affine> make_norm(std::int64_t dim);
/** Normal around 0. Without a generator, here and below, values are left as they are: a file is
 * about to give them. */
void init_normal(torch::Tensor& tensor, double deviation, torch::Generator generator);
/** Uniform in +-1/sqrt(fan_in): Torch's default for linear and convolution layers. */
void init_uniform(torch::Tensor& tensor, std::int64_t fan_in, torch::Generator generator);

/** x W^T + b in the given precision: [.., in] -> [.., out]; the result has that precision's type.
 */
torch::Tensor linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                     Precision precision);
/** LayerNorm over the last axis in fp32; fp32 result. */
torch::Tensor layer_norm(const torch::Tensor& x, const Affine& norm, double eps = kNormEps);

/** {sin x, cos x}. To be used for every table of positions: MKL chooses the kernels of its vector
 * functions at their first call, and of two threads that make it together one may get a kernel good
 * to 11 bits only (pytorch/pytorch#188792). */
std::pair<torch::Tensor, torch::Tensor> sine_and_cosine(const torch::Tensor& x);

inline torch::Dtype dtype_of(Precision precision) {
  return precision == Precision::Bf16 ? torch::kBFloat16 : torch::kFloat32;
}

}  // namespace dino::model
