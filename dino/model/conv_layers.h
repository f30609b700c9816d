// Layers shared by the backbones with convolutions: depthwise convolution, patch convolution as a
// matrix product, batch norm.
#pragma once
#include <torch/types.h>

#include <memory>

#include "dino/model/layers.h"

namespace dino::model {

/** A batch norm (eps 1e-5, momentum 0.1) with Torch's names of parameters and buffers. */
struct BatchNorm : Affine {
  explicit BatchNorm(std::int64_t channels);
  /** Normalizes x [B, C, H, W] by the statistics of this batch, updating the running ones, or by
   * the running statistics. The result has x's type and layout. Throws Error{Config} on a batch of
   * one value per channel. */
  torch::Tensor operator()(const torch::Tensor& x, bool batch_statistics) const;

  torch::Tensor running_mean, running_var;  ///< [C] fp32
  torch::Tensor num_batches_tracked;        ///< int64; kept for compatibility, not used
};

/** The parameters of a convolution: weight [out, in / groups, kernel, kernel], uninitialized, and
 * bias 0. */
std::shared_ptr<Affine> make_convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                         std::int64_t groups = 1);

/** A depthwise convolution (one filter per channel) that keeps the size: x [B, C, H, W] -> [B, C,
 * H, W] fp32, in x's layout. */
torch::Tensor depthwise(const torch::Tensor& x, const Affine& convolution);

/** A convolution whose stride equals its kernel size k, as one matrix product: x [B, H, W, C] ->
 * [B, H / k, W / k, out] fp32. An incomplete patch on the right or below is ignored. */
torch::Tensor convolve_patches(const torch::Tensor& x, const Affine& convolution,
                               Precision precision);

}  // namespace dino::model
