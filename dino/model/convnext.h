// ConvNeXt (Liu et al. 2022) as distilled in DINOv3: four stages of 7x7 depthwise convolutions and
// pointwise layers with a total stride of 32 px. The patches are the cells of the last feature map
// and CLS is their mean; both use the same final norm. Stochastic depth is not implemented; the
// released networks were trained without it.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "dino/arch/architecture.h"
#include "dino/model/backbone.h"

namespace dino::model {

struct Affine;
struct ConvNextBlock;

/** Parameter names are the reference's (downsample_layers.0.0.weight, stages.0.0.dwconv.weight,
 * ...). The remainder of sizes that are not multiples of 32 is ignored on the right and below, as
 * in the reference. */
class ConvNext : public Backbone {
 public:
  /** The reference's initialization: weights normal 0.02, biases 0, layer scale 1e-6. */
  ConvNext(const arch::ConvNext& options, std::int64_t channels, torch::Generator generator);

  std::int64_t dim() const override { return options_.widths.back(); }
  /** Throws Error{Usage} on masks: a convolutional network has no tokens to mask. */
  std::vector<GroupFeatures> forward_groups(const std::vector<CropGroup>& groups,
                                            Tokens tokens) override;
  /** H and W at least 32 px. */
  Features forward_features(const torch::Tensor& images) override;
  int depth() const override { return static_cast<int>(stages_.size()); }
  /** A layer is a stage: CLS is the mean and patches are the cells of its feature map, with P and D
   * of that stage. Only the last is normalized, as in the reference. */
  std::vector<Features> layers(const torch::Tensor& images, const std::vector<int>& blocks,
                               bool norm) override;
  /** Throws Error{Usage}: there is no attention. */
  torch::Tensor attention(const torch::Tensor& images, int block, AttentionRows rows) override;

 private:
  struct Stage {
    std::shared_ptr<Affine> convolution, norm;  ///< of the downsampling layer that begins the stage
    std::vector<std::shared_ptr<ConvNextBlock>> blocks;
  };
  /** The output of each stage: [B, H / s, W / s, D] with s = 4, 8, 16, 32. */
  std::vector<torch::Tensor> maps(const torch::Tensor& images) const;
  torch::Tensor final_norm(const torch::Tensor& x) const;
  Features features_of(const torch::Tensor& map, bool norm) const;

  arch::ConvNext options_;
  std::vector<Stage> stages_;
  std::shared_ptr<Affine> norm_;
};

}  // namespace dino::model
