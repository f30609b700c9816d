// ConvNeXt (Liu et al. 2022) as DINOv3 distils it: four stages of 7x7 depthwise convolutions and
// pointwise layers, 32 px between the cells of the last map. CLS is that map's mean; one final norm
// serves CLS and patches. Without stochastic depth, which the released nets were not trained with.
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
 * ...). Sizes that 32 does not divide lose the remainder right and below, as in the reference. */
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
  /** A layer is a stage: mean and cells of its map, with P and D of that stage. Only the last has a
   * norm, as in the reference. */
  std::vector<Features> layers(const torch::Tensor& images, const std::vector<int>& blocks,
                               bool norm) override;
  /** Throws Error{Usage}. */
  torch::Tensor attention(const torch::Tensor& images, int block, AttentionRows rows) override;

 private:
  struct Stage {
    std::shared_ptr<Affine> convolution, norm;  ///< of the step down that opens it
    std::vector<std::shared_ptr<ConvNextBlock>> blocks;
  };
  /** Output of each stage: [B, H / s, W / s, D], s = 4, 8, 16, 32. */
  std::vector<torch::Tensor> maps(const torch::Tensor& images) const;
  torch::Tensor final_norm(const torch::Tensor& x) const;
  Features features_of(const torch::Tensor& map, bool norm) const;

  arch::ConvNext options_;
  std::vector<Stage> stages_;
  std::shared_ptr<Affine> norm_;
};

}  // namespace dino::model
