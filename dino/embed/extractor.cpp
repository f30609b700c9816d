#include "dino/embed/extractor.h"

#include <torch/torch.h>

#include <numeric>

#include "dino/base/error.h"
#include "dino/embed/image_batches.h"

namespace dino::embed {
namespace {

constexpr std::size_t kBadNamesKept = 100;

/** Runs `to_rows` ([B, C, H, W] -> [B, D]) over the whole data set. */
FeatureMatrix extract(const data::Dataset& dataset, const data::Preprocess& preprocess,
                      const ExtractOptions& options,
                      const std::function<torch::Tensor(const torch::Tensor&)>& to_rows) {
  const torch::NoGradGuard no_grad;
  std::vector<std::int64_t> order(static_cast<std::size_t>(dataset.size()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const std::int64_t total = dataset.size();
  FeatureMatrix result;
  std::int64_t rows = 0;
  const BatchOptions batches{.batch_size = options.batch_size,
                             .threads = options.threads,
                             .patch_size = options.patch_size,
                             .augment = options.augment};
  for_each_stretch(dataset, order, preprocess, batches, [&](ImageStretch& stretch) {
    for (const ImageBatch& batch : stretch.batches) {
      const auto features = to_rows(batch.images).to(torch::kFloat32);  // [B, D]
      if (!result.features.defined()) result.features = torch::empty({total, features.size(1)});
      if (features.size(1) != result.features.size(1))
        fail(ErrorKind::Data,
             "[extract] images of different sizes give rows of different lengths, {} and {}; "
             "choose a fit that makes squares",
             result.features.size(1), features.size(1));
      if (stretch.batches.size() == 1)
        result.features.narrow(0, rows, features.size(0)).copy_(features);
      else
        result.features.index_put_({torch::tensor(batch.rows) + rows}, features.cpu());
    }
    rows += std::ssize(stretch.indices);
    for (const auto index : stretch.indices) result.labels.push_back(dataset.label(index));
    result.indices.insert(result.indices.end(), stretch.indices.begin(), stretch.indices.end());
    result.bad_count += std::ssize(stretch.bad);
    for (const BadImage& bad : stretch.bad)
      if (result.bad.size() < kBadNamesKept)
        result.bad.push_back(fmt::format("{}: {}", dataset.name(bad.index), bad.reason));
    if (options.progress) options.progress(stretch.done, total);
    result.stopped = options.stop.stop_requested();
    return !result.stopped;
  });
  if (rows == 0 && !result.stopped)
    fail(ErrorKind::Data, "[extract] none of the {} images can be read{}{}", total,
         result.bad.empty() ? "" : "; the first: ", result.bad.empty() ? "" : result.bad.front());
  if (result.features.defined() && rows < total)
    result.features =
        result.features.narrow(0, 0, rows).clone();  // [n, D], without the unused tail
  return result;
}

}  // namespace

EvalMode::EvalMode(torch::nn::Module& module)
    : module_(module), was_training_(module.is_training()) {
  module_.eval();
}
EvalMode::~EvalMode() {
  module_.train(was_training_);
}

FeatureMatrix extract_features(model::Backbone& backbone, const data::Dataset& dataset,
                               const data::Preprocess& preprocess, FeatureKind kind,
                               const ExtractOptions& options) {
  const EvalMode eval_mode(backbone);
  return extract(dataset, preprocess, options, [&](const torch::Tensor& images) {
    if (kind == FeatureKind::Cls)  // the cheap path: the last block computes CLS alone
      return backbone.forward_groups({{.images = images, .masks = {}}}, model::Tokens::Cls)[0]
          .cls;  // [B, D]
    const auto features = backbone.forward_features(images);
    return torch::cat({features.cls, features.patches.mean(1)}, 1);  // [B, 2D]
  });
}

FeatureMatrix extract_pixels(const data::Dataset& dataset, const data::Preprocess& preprocess,
                             const ExtractOptions& options) {
  return extract(dataset, preprocess, options,
                 [](const torch::Tensor& images) { return images.flatten(1); });  // [B, C*H*W]
}

}  // namespace dino::embed
