#include "dino/model/resnet.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

#include <array>
#include <cmath>
#include <string>

#include "dino/base/error.h"
#include "dino/model/conv_layers.h"

namespace dino::model {
namespace {

constexpr std::int64_t kExpansion = 4;  // a block's output channels over its width

/** A convolution without bias as a module of one parameter, so that its name is torchvision's. */
std::shared_ptr<Affine> make_filters(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                     const torch::Generator& generator) {
  auto conv = std::make_shared<Affine>(std::vector<std::int64_t>{out, in, kernel, kernel}, 0);
  const torch::NoGradGuard no_grad;
  const auto fan_out = static_cast<double>(out * kernel * kernel);
  init_normal(conv->weight, std::sqrt(2.0 / fan_out), generator);
  return conv;
}

/** Same-size convolution but for the stride, in the type of x. */
torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight, std::int64_t stride) {
  return at::conv2d(x, weight.to(x.scalar_type()), {}, stride, weight.size(2) / 2);
}

}  // namespace

/** 1x1 to `width`, 3x3 with the stride, 1x1 to 4 `width`, around a shortcut. */
struct Bottleneck : torch::nn::Module {
  Bottleneck(std::int64_t in, std::int64_t width, std::int64_t stride_of_block,
             const torch::Generator& generator)
      : stride(stride_of_block) {
    const std::int64_t out = width * kExpansion;
    conv1 = register_module("conv1", make_filters(in, width, 1, generator));
    bn1 = register_module("bn1", std::make_shared<BatchNorm>(width));
    conv2 = register_module("conv2", make_filters(width, width, 3, generator));
    bn2 = register_module("bn2", std::make_shared<BatchNorm>(width));
    conv3 = register_module("conv3", make_filters(width, out, 1, generator));
    bn3 = register_module("bn3", std::make_shared<BatchNorm>(out));
    if (stride == 1 && in == out) return;
    auto downsample = register_module("downsample", std::make_shared<torch::nn::Module>());
    shortcut = downsample->register_module("0", make_filters(in, out, 1, generator));
    shortcut_norm = downsample->register_module("1", std::make_shared<BatchNorm>(out));
  }

  torch::Tensor operator()(const torch::Tensor& x, bool batch_statistics) const {
    torch::Tensor y = at::relu((*bn1)(convolve(x, conv1->weight, 1), batch_statistics));
    y = at::relu((*bn2)(convolve(y, conv2->weight, stride), batch_statistics));
    y = (*bn3)(convolve(y, conv3->weight, 1), batch_statistics);
    const torch::Tensor identity =
        shortcut ? (*shortcut_norm)(convolve(x, shortcut->weight, stride), batch_statistics) : x;
    return at::relu(y + identity);
  }

  std::int64_t stride;
  std::shared_ptr<Affine> conv1, conv2, conv3, shortcut;
  std::shared_ptr<BatchNorm> bn1, bn2, bn3, shortcut_norm;
};

ResNet50::ResNet50(std::int64_t channels, torch::Generator generator) {
  constexpr std::array<std::int64_t, 4> kBlocks = {3, 4, 6, 3};
  conv1_ = register_module("conv1", make_filters(channels, 64, 7, generator));
  bn1_ = register_module("bn1", std::make_shared<BatchNorm>(64));
  std::int64_t in = 64;
  for (std::size_t stage = 0; stage < kBlocks.size(); ++stage) {
    const std::int64_t width = std::int64_t{64} << stage;
    auto layer =
        register_module("layer" + std::to_string(stage + 1), std::make_shared<torch::nn::Module>());
    for (std::int64_t i = 0; i < kBlocks[stage]; ++i) {
      const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      blocks_.push_back(layer->register_module(
          std::to_string(i), std::make_shared<Bottleneck>(in, width, stride, generator)));
      in = width * kExpansion;
    }
  }
}

torch::Tensor ResNet50::last_map(const torch::Tensor& images, bool batch_statistics) const {
  const std::int64_t channels = conv1_->weight.size(1);
  if (images.dim() != 4 || images.size(1) != channels || images.numel() == 0) {
    fail(ErrorKind::Usage, "[backbone] images of shape {}: expected [B, {}, H, W], not empty",
         fmt::join(images.sizes().vec(), " x "), channels);
  }
  torch::Tensor x = convolve(images.to(dtype_of(precision_)), conv1_->weight, 2);
  x = at::relu((*bn1_)(x, batch_statistics));
  x = at::max_pool2d(x, 3, 2, 1);  // [B, 64, H/4, W/4]
  for (const auto& block : blocks_) {
    stop_if_asked();
    x = (*block)(x, batch_statistics);
  }
  return x;  // [B, D, H/32, W/32]
}

std::vector<GroupFeatures> ResNet50::forward_groups(const std::vector<CropGroup>& groups,
                                                    Tokens tokens) {
  std::vector<GroupFeatures> features;
  for (const auto& group : groups) {
    if (group.masks.defined())
      fail(ErrorKind::Usage, "[backbone] resnet50 takes no patch masks: train it without iBOT");
    const torch::Tensor map = last_map(group.images, is_training());
    GroupFeatures out;
    out.cls = map.mean({2, 3}, /*keepdim=*/false, torch::kFloat32);  // [B, D]
    if (tokens == Tokens::ClsAndPatches)
      out.patches = map.flatten(2).transpose(1, 2).to(torch::kFloat32);  // [B, P, D]
    features.push_back(out);
  }
  return features;
}

Features ResNet50::forward_features(const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor map = last_map(images, /*batch_statistics=*/false).to(torch::kFloat32);
  Features features;
  features.cls = map.mean({2, 3});                                 // [B, D]
  features.patches = map.flatten(2).transpose(1, 2).contiguous();  // [B, P, D]
  features.grid_height = static_cast<int>(map.size(2));
  features.grid_width = static_cast<int>(map.size(3));
  return features;
}

std::vector<Features> ResNet50::layers(const torch::Tensor& images, const std::vector<int>& blocks,
                                       bool /*norm*/) {
  for (const int block : blocks) block_index(block, depth());
  return std::vector<Features>(blocks.size(), forward_features(images));
}

torch::Tensor ResNet50::attention(const torch::Tensor& /*images*/, int /*block*/,
                                  AttentionRows /*rows*/) {
  fail(ErrorKind::Usage, "[attention] resnet50 has no attention: use a ViT");
}

std::shared_ptr<Backbone> make_resnet50(int channels, torch::Generator generator) {
  return std::make_shared<ResNet50>(channels, generator);
}

}  // namespace dino::model
