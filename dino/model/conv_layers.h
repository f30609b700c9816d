// What the backbones with convolutions share: depthwise convolutions, patches as matrix products,
// batch norm.
#pragma once
#include <torch/types.h>

#include <memory>

#include "dino/model/layers.h"

namespace dino::model {

/** Gain, bias and running statistics of a batch norm (eps 1e-5, momentum 0.1) under Torch's names.
 */
struct BatchNorm : Affine {
  explicit BatchNorm(std::int64_t channels);
  /** x [B, C, H, W] normalized by this batch, which also enters the running statistics, or by the
   * running statistics; type and layout of x. Throws Error{Config} on a batch of one value per
   * channel. */
  torch::Tensor operator()(const torch::Tensor& x, bool batch_statistics) const;

  torch::Tensor running_mean, running_var;  ///< [C] fp32
  torch::Tensor num_batches_tracked;        ///< int64; nothing reads it
};

/** Weight [out, in / groups, kernel, kernel], not yet initialized, and a bias of zeros. */
std::shared_ptr<Affine> make_convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                         std::int64_t groups = 1);

/** One filter a channel, same size: x [B, C, H, W] -> [B, C, H, W] fp32, in the layout of x. */
torch::Tensor depthwise(const torch::Tensor& x, const Affine& convolution);

/** A convolution whose stride is its kernel's side k, as one matrix product: channels last,
 * x [B, H, W, C] -> [B, H / k, W / k, out] fp32; the remainder right and below is dropped. */
torch::Tensor convolve_patches(const torch::Tensor& x, const Affine& convolution,
                               Precision precision);

}  // namespace dino::model
