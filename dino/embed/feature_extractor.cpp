#include "dino/embed/feature_extractor.h"

#include <torch/types.h>

#include <algorithm>
#include <map>
#include <utility>

#include "dino/base/error.h"

namespace dino::embed {
namespace {

/** Image i of a batch's features, B = 1. */
model::Features one_of(const model::Features& batch, std::int64_t i) {
  model::Features one = batch;
  one.cls = batch.cls.narrow(0, i, 1);
  one.patches = batch.patches.narrow(0, i, 1);
  if (batch.registers.defined()) one.registers = batch.registers.narrow(0, i, 1);
  return one;
}

}  // namespace

FeatureExtractor::FeatureExtractor(const std::filesystem::path& weights,
                                   const ExtractorOptions& options)
    : max_tokens_(options.max_tokens) {
  auto loaded = model::load_backbone(weights, options.read);
  backbone_ = std::move(loaded.backbone);
  network_ = std::move(loaded.network);
  backbone_->set_precision(options.precision);
}

void FeatureExtractor::set_preprocess(const data::Preprocess& preprocess) {
  data::validate(preprocess);
  if (preprocess.channels != network_.architecture.channels)
    fail(ErrorKind::Config, "[preprocess] {} channels; the network takes {}", preprocess.channels,
         network_.architecture.channels);
  network_.preprocess = preprocess;
}

data::Prepared FeatureExtractor::prepare(const image::Image& image) const {
  return preparer()(image);
}

data::Prepared FeatureExtractor::prepare(const image::Planes& image) const {
  return preparer()(image);
}

data::Prepared FeatureExtractor::prepare(const std::filesystem::path& file) const {
  return preparer()(file);
}

data::Preparer FeatureExtractor::preparer() const {
  return {network_.preprocess, static_cast<int>(network_.architecture.patch_size()), max_tokens_};
}

model::Features FeatureExtractor::forward(const torch::Tensor& images) const {
  return backbone_->forward_features(images);
}

std::vector<model::Features> FeatureExtractor::layers(const torch::Tensor& images,
                                                      const std::vector<int>& blocks,
                                                      bool norm) const {
  return backbone_->layers(images, blocks, norm);
}

torch::Tensor FeatureExtractor::attention(const torch::Tensor& images, int block,
                                          model::AttentionRows rows) const {
  return backbone_->attention(images, block, rows);
}

model::Features FeatureExtractor::features(const image::Image& image) const {
  return features(std::span(&image, 1))[0];
}

model::Features FeatureExtractor::features(const std::filesystem::path& file) const {
  return features_of({prepare(file)}, 1)[0];
}

std::vector<model::Features> FeatureExtractor::features(std::span<const image::Image> images,
                                                        int batch_size) const {
  if (batch_size < 1)
    fail(ErrorKind::Usage, "[features] batch size must be at least 1: {}", batch_size);
  std::vector<data::Prepared> prepared;
  for (const image::Image& image : images) prepared.push_back(prepare(image));
  return features_of(prepared, batch_size);
}

std::vector<model::Features> FeatureExtractor::features_of(
    const std::vector<data::Prepared>& prepared, int batch_size) const {
  std::map<std::pair<int, int>, std::vector<std::size_t>> by_size;
  for (std::size_t i = 0; i < prepared.size(); ++i)
    by_size[{prepared[i].height, prepared[i].width}].push_back(i);
  std::vector<model::Features> results(prepared.size());
  for (const auto& [size, members] : by_size) {
    for (std::size_t first = 0; first < members.size();
         first += static_cast<std::size_t>(batch_size)) {
      const std::size_t count =
          std::min(members.size() - first, static_cast<std::size_t>(batch_size));
      const std::int64_t channels = network_.architecture.channels;
      const torch::Tensor batch =
          torch::empty({static_cast<std::int64_t>(count), channels, size.first, size.second});
      for (std::size_t i = 0; i < count; ++i)
        std::ranges::copy(prepared[members[first + i]].pixels,
                          batch[static_cast<std::int64_t>(i)].data_ptr<float>());
      const model::Features features = forward(batch);
      for (std::size_t i = 0; i < count; ++i)
        results[members[first + i]] = one_of(features, static_cast<std::int64_t>(i));
    }
  }
  return results;
}

}  // namespace dino::embed
