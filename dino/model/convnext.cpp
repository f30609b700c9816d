#include "dino/model/convnext.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <string>

#include "dino/base/error.h"
#include "dino/model/conv_layers.h"

namespace dino::model {
namespace {

constexpr double kLayerScaleInit = 1e-6;
constexpr double kWeightStd = 0.02;

std::shared_ptr<Affine> random_convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                           std::int64_t groups, torch::Generator generator) {
  auto convolution = make_convolution(in, out, kernel, groups);
  const torch::NoGradGuard no_grad;
  init_normal(convolution->weight, kWeightStd, generator);
  return convolution;
}

}  // namespace

/** x += gamma * pwconv2(GELU(pwconv1(LN(dwconv x)))), channels last. */
struct ConvNextBlock : torch::nn::Module {
  ConvNextBlock(std::int64_t width, torch::Generator generator) {
    gamma = register_parameter("gamma", torch::full({width}, kLayerScaleInit));
    dwconv = register_module("dwconv", random_convolution(width, width, 7, width, generator));
    norm = register_module("norm", make_norm(width));
    pwconv1 = register_module("pwconv1", make_linear(width, 4 * width, generator));
    pwconv2 = register_module("pwconv2", make_linear(4 * width, width, generator));
  }

  torch::Tensor operator()(const torch::Tensor& x, double norm_eps, Precision precision) const {
    torch::Tensor y = depthwise(x.permute({0, 3, 1, 2}), *dwconv).permute({0, 2, 3, 1});
    y = layer_norm(y, *norm, norm_eps);
    y = at::gelu(linear(y, pwconv1->weight, pwconv1->bias, precision));  // [B, H, W, 4D]
    return x + gamma * linear(y, pwconv2->weight, pwconv2->bias, precision);
  }

  torch::Tensor gamma;
  std::shared_ptr<Affine> dwconv, norm, pwconv1, pwconv2;
};

ConvNext::ConvNext(const arch::ConvNext& options, std::int64_t channels, torch::Generator generator)
    : options_(options) {
  auto steps = register_module("downsample_layers", std::make_shared<torch::nn::Module>());
  auto stages = register_module("stages", std::make_shared<torch::nn::Module>());
  for (std::size_t s = 0; s < options_.depths.size(); ++s) {
    const std::int64_t width = options_.widths[s], in = s == 0 ? channels : options_.widths[s - 1];
    auto step = steps->register_module(std::to_string(s), std::make_shared<torch::nn::Module>());
    Stage stage;
    // The stem convolves, then normalizes; the later steps normalize, then convolve.
    stage.convolution = step->register_module(
        s == 0 ? "0" : "1", random_convolution(in, width, s == 0 ? 4 : 2, 1, generator));
    stage.norm = step->register_module(s == 0 ? "1" : "0", make_norm(s == 0 ? width : in));
    auto list = stages->register_module(std::to_string(s), std::make_shared<torch::nn::Module>());
    for (std::int64_t b = 0; b < options_.depths[s]; ++b)
      stage.blocks.push_back(list->register_module(
          std::to_string(b), std::make_shared<ConvNextBlock>(width, generator)));
    stages_.push_back(std::move(stage));
  }
  norm_ = register_module("norm", make_norm(options_.widths.back()));
}

std::vector<torch::Tensor> ConvNext::maps(const torch::Tensor& images) const {
  const std::int64_t channels = stages_[0].convolution->weight.size(1);
  if (images.dim() != 4 || images.size(1) != channels || images.size(2) < 32 ||
      images.size(3) < 32) {
    fail(ErrorKind::Usage,
         "[backbone] images of shape {}: expected [B, {}, H, W] with H and W at least 32 px",
         fmt::join(images.sizes().vec(), " x "), channels);
  }
  std::vector<torch::Tensor> maps;
  torch::Tensor x = images.permute({0, 2, 3, 1});  // [B, H, W, C]
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    const Stage& stage = stages_[s];
    if (s > 0) x = layer_norm(x, *stage.norm, options_.norm_eps);
    x = convolve_patches(x, *stage.convolution, precision_);  // [B, H / s, W / s, D]
    if (s == 0) x = layer_norm(x, *stage.norm, options_.norm_eps);
    for (const auto& block : stage.blocks) {
      stop_if_asked();
      x = (*block)(x, options_.norm_eps, precision_);
    }
    maps.push_back(x);
  }
  return maps;
}

torch::Tensor ConvNext::final_norm(const torch::Tensor& x) const {
  return layer_norm(x, *norm_, options_.norm_eps);
}

Features ConvNext::features_of(const torch::Tensor& map, bool norm) const {
  Features features;
  features.cls = map.mean({1, 2});       // [B, D]
  features.patches = map.flatten(1, 2);  // [B, P, D]
  features.grid_height = static_cast<int>(map.size(1));
  features.grid_width = static_cast<int>(map.size(2));
  if (norm) {
    features.cls = final_norm(features.cls);
    features.patches = final_norm(features.patches);
  }
  return features;
}

std::vector<GroupFeatures> ConvNext::forward_groups(const std::vector<CropGroup>& groups,
                                                    Tokens tokens) {
  std::vector<GroupFeatures> features;
  for (const auto& group : groups) {
    if (group.masks.defined())
      fail(ErrorKind::Usage, "[backbone] a ConvNeXt takes no patch masks: train it without iBOT");
    const torch::Tensor map = maps(group.images).back();
    GroupFeatures out;
    out.cls = final_norm(map.mean({1, 2}));                                            // [B, D]
    if (tokens == Tokens::ClsAndPatches) out.patches = final_norm(map.flatten(1, 2));  // [B, P, D]
    features.push_back(out);
  }
  return features;
}

Features ConvNext::forward_features(const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  return features_of(maps(images).back(), /*norm=*/true);
}

std::vector<Features> ConvNext::layers(const torch::Tensor& images, const std::vector<int>& blocks,
                                       bool norm) {
  const torch::NoGradGuard no_grad;
  const auto all = maps(images);
  std::vector<Features> outputs;
  for (const int block : blocks) {
    const int s = block_index(block, depth());
    outputs.push_back(features_of(all[static_cast<std::size_t>(s)], norm && s + 1 == depth()));
  }
  return outputs;
}

torch::Tensor ConvNext::attention(const torch::Tensor& /*images*/, int /*block*/,
                                  AttentionRows /*rows*/) {
  fail(ErrorKind::Usage, "[attention] a ConvNeXt has no attention: use a ViT");
}

}  // namespace dino::model
