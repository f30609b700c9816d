// ResNet-50 (He et al. 2016) as torchvision builds it (stride in the 3x3 convolution), without its
// classifier: the convolutional backbone of DINO. CLS is the global mean of the last feature map;
// patches are its cells, 32 px apart.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "dino/model/backbone.h"

namespace dino::model {

struct Affine;
struct Bottleneck;
struct BatchNorm;

/** Parameter and buffer names are torchvision's (conv1.weight, layer1.0.bn1.running_mean, ...).
 * forward_groups() in training mode normalizes by the statistics of each group's batch and updates
 * the running ones; inference always uses the running statistics, so it does not depend on the
 * batch. A DINO teacher stays in training mode. */
class ResNet50 : public Backbone {
 public:
  ResNet50(std::int64_t channels, torch::Generator generator);

  std::int64_t dim() const override { return 2048; }
  /** Throws Error{Usage} on masks: a convolutional network has no tokens to mask. */
  std::vector<GroupFeatures> forward_groups(const std::vector<CropGroup>& groups,
                                            Tokens tokens) override;
  Features forward_features(const torch::Tensor& images) override;
  int depth() const override { return 1; }
  /** The mean and the cells of the last feature map; there is no final norm. */
  std::vector<Features> layers(const torch::Tensor& images, const std::vector<int>& blocks,
                               bool norm) override;
  /** Throws Error{Usage}: there is no attention. */
  torch::Tensor attention(const torch::Tensor& images, int block, AttentionRows rows) override;

 private:
  /** [B, C, H, W] -> [B, D, H / 32, W / 32], sizes rounded up. */
  torch::Tensor last_map(const torch::Tensor& images, bool batch_statistics) const;

  std::shared_ptr<Affine> conv1_;
  std::shared_ptr<BatchNorm> bn1_;
  std::vector<std::shared_ptr<Bottleneck>> blocks_;  ///< blocks of all four stages, in order
};

/** A ResNet-50 with torchvision's initialization, drawn from `generator`: filters normal with
 * variance 2 / fan_out, norms with gain 1 and bias 0. */
std::shared_ptr<Backbone> make_resnet50(int channels, torch::Generator generator);

}  // namespace dino::model
