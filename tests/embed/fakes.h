// A backbone whose answers can be worked out by hand, and data sets in memory.
#pragma once
#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/data/sources/dataset.h"
#include "dino/image/image.h"
#include "dino/model/backbone.h"

namespace dino::embed::testing {

/** Pixels by integer arithmetic, the same as in tests/golden/data/eval_crop.py. */
inline image::Image picture(int width, int height, int channels, int salt = 0) {
  image::Image image(width, height, channels);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c)
        image.row(y)[x * channels + c] =
            static_cast<std::uint8_t>((x * x * 3 + y * 7 + x * y * 5 + c * 85 + salt) % 256);
  return image;
}

/** Images made in memory; those listed as bad throw as an unreadable file does. */
class MemoryDataset : public data::Dataset {
 public:
  explicit MemoryDataset(std::vector<image::Image> images, std::vector<std::int64_t> labels = {},
                         std::string name = "memory")
      : images_(std::move(images)), labels_(std::move(labels)), name_(std::move(name)) {
    for (const auto label : labels_)
      while (static_cast<std::int64_t>(names_.size()) <= label)
        names_.push_back("class" + std::to_string(names_.size()));
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(images_.size()); }
  image::Image load(std::int64_t index) const override {
    const auto& image = images_.at(static_cast<std::size_t>(index));
    if (image.empty()) fail(ErrorKind::Format, "[decode] {}: truncated", name(index));
    return image;
  }
  std::string name(std::int64_t index) const override {
    return name_ + "#" + std::to_string(index);
  }
  std::int64_t label(std::int64_t index) const override {
    return labels_.empty() ? -1 : labels_.at(static_cast<std::size_t>(index));
  }
  const std::vector<std::string>& class_names() const override { return names_; }

 private:
  std::vector<image::Image> images_;
  std::vector<std::int64_t> labels_;
  std::vector<std::string> names_;
  std::string name_;
};

/** Patch token = {mean, min, max} of the patch's first channel; CLS = mean over patches; head j
 * attends to a patch in proportion to exp(j * mean). */
class FakeBackbone : public model::Backbone {
 public:
  explicit FakeBackbone(std::int64_t patch) : patch_(patch) {}
  std::int64_t dim() const override { return 3; }
  std::vector<model::GroupFeatures> forward_groups(const std::vector<model::CropGroup>& groups,
                                                   model::Tokens) override {
    EXPECT_FALSE(is_training());
    std::vector<model::GroupFeatures> out;
    for (const auto& group : groups) out.push_back({forward_features(group.images).cls, {}});
    return out;
  }
  model::Features forward_features(const torch::Tensor& images) override {
    EXPECT_FALSE(torch::GradMode::is_enabled());
    const auto cells =
        images.select(1, 0).unfold(1, patch_, patch_).unfold(2, patch_, patch_).flatten(3);
    const auto patches =
        torch::stack({cells.mean(3), cells.amin(3), cells.amax(3)}, 3);  // [B, gh, gw, 3]
    return {.cls = patches.mean(torch::IntArrayRef{1, 2}),
            .patches = patches.flatten(1, 2),
            .grid_height = static_cast<int>(patches.size(1)),
            .grid_width = static_cast<int>(patches.size(2)),
            .registers = {}};
  }
  int depth() const override { return 1; }
  std::vector<model::Features> layers(const torch::Tensor&, const std::vector<int>&,
                                      bool) override {
    return {};
  }
  torch::Tensor attention(const torch::Tensor& images, int, model::AttentionRows) override {
    const auto means = forward_features(images).patches.select(2, 0);  // [B, P]
    std::vector<torch::Tensor> heads;
    for (int head = 1; head <= 2; ++head) {
      const auto logits =
          torch::cat({torch::zeros({means.size(0), 1}), means * head}, 1);  // [B, N]
      heads.push_back(logits.softmax(1).unsqueeze(1).expand({-1, logits.size(1), -1}));
    }
    return torch::stack(heads, 1);  // [B, h, N, N]
  }
  void set_precision(model::Precision) override {}

 private:
  std::int64_t patch_;
};

}  // namespace dino::embed::testing
