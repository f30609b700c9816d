#include "dino/embed/feature_matrix.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <numeric>

#include "dino/base/error.h"
#include "dino/embed/image_batches.h"

namespace dino::embed {
namespace {

constexpr std::size_t kBadNamesKept = 100;

/** Collects the rows of all stretches. */
class MatrixBuilder {
 public:
  explicit MatrixBuilder(const data::Dataset& dataset) : dataset_(dataset) {}

  /** `features` [B, D] of each batch of the stretch. */
  void add(const ImageStretch& stretch, const std::vector<torch::Tensor>& features) {
    std::vector<bool> is_finite(stretch.indices.size(), true);
    const std::int64_t first = rows_;
    rows_ += std::ssize(stretch.indices);
    for (std::size_t b = 0; b < features.size(); ++b) {
      const std::vector<std::int64_t>& rows = stretch.batches[b].rows;
      put(features[b], rows, first, stretch.batches.size() == 1);
      for (const std::int64_t row : rows_not_finite(features[b]))
        is_finite[static_cast<std::size_t>(rows[static_cast<std::size_t>(row)])] = false;
    }
    for (const SkippedImage& bad : stretch.bad) add_bad(bad.index, bad.reason);
    std::vector<std::int64_t> kept;
    for (std::size_t i = 0; i < is_finite.size(); ++i) {
      const std::int64_t index = stretch.indices[i];
      if (!is_finite[i]) {
        add_bad(index, kNotFinite);
        ++result_.not_finite;
        continue;
      }
      kept.push_back(first + static_cast<std::int64_t>(i));
      result_.labels.push_back(dataset_.label(index));
      result_.indices.push_back(index);
    }
    if (kept.size() == is_finite.size()) return;
    torch::Tensor& all = result_.features;
    const torch::Tensor left = all.index_select(0, torch::tensor(kept, torch::kInt64));
    rows_ = first + std::ssize(kept);
    all.narrow(0, first, std::ssize(kept)).copy_(left);
  }

  FeatureMatrix finish(bool stopped) {
    result_.stopped = stopped;
    const std::int64_t total = dataset_.size();
    if (rows_ == 0 && !stopped)
      fail(ErrorKind::Data, "[extract] none of the {} images can be used{}{}", total,
           result_.bad.empty() ? "" : "; the first: ",
           result_.bad.empty() ? "" : result_.bad.front());
    if (result_.features.defined() && rows_ < total)
      result_.features =
          result_.features.narrow(0, 0, rows_).clone();  // [n, D], without the unused tail
    return std::move(result_);
  }

 private:
  void put(const torch::Tensor& features, const std::vector<std::int64_t>& rows, std::int64_t first,
           bool in_order) {
    torch::Tensor& all = result_.features;
    if (!all.defined()) all = torch::empty({dataset_.size(), features.size(1)});
    if (features.size(1) != all.size(1))
      fail(ErrorKind::Data,
           "[extract] images of different sizes give rows of different lengths, {} and {}; "
           "choose a fit that makes squares",
           all.size(1), features.size(1));
    if (in_order)
      all.narrow(0, first, features.size(0)).copy_(features);
    else
      all.index_put_({torch::tensor(rows) + first}, features);
  }

  void add_bad(std::int64_t index, const std::string& reason) {
    ++result_.bad_count;
    if (result_.bad.size() < kBadNamesKept)
      result_.bad.push_back(fmt::format("{}: {}", dataset_.name(index), reason));
  }

  const data::Dataset& dataset_;
  FeatureMatrix result_;
  std::int64_t rows_ = 0;
};

/** Runs `to_rows` ([B, C, H, W] -> [B, D]) over the whole data set. */
FeatureMatrix extract(const data::Dataset& dataset, const data::Preprocess& preprocess,
                      const ExtractOptions& options,
                      const std::function<torch::Tensor(const torch::Tensor&)>& to_rows) {
  const torch::NoGradGuard no_grad;
  std::vector<std::int64_t> order(static_cast<std::size_t>(dataset.size()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  MatrixBuilder matrix(dataset);
  const BatchOptions batches{.batch_size = options.batch_size,
                             .threads = options.threads,
                             .patch_size = options.patch_size,
                             .max_tokens = options.max_tokens,
                             .augment = options.augment,
                             .stop = options.stop};
  try {
    for_each_stretch(dataset, order, preprocess, batches, [&](ImageStretch& stretch) {
      std::vector<torch::Tensor> features;
      for (const ImageBatch& batch : stretch.batches)
        features.push_back(to_rows(batch.images).to(torch::kCPU, torch::kFloat32));  // [B, D]
      matrix.add(stretch, features);
      if (options.progress) options.progress(stretch.done, dataset.size());
      return !options.stop.stop_requested();
    });
  } catch (const model::Stopped&) {  // amid a batch, whose rows are not wanted any more
  }
  return matrix.finish(options.stop.stop_requested());
}

/** The module and its submodules, parents first. */
void collect(torch::nn::Module& module, std::vector<std::pair<torch::nn::Module*, bool>>& all) {
  all.emplace_back(&module, module.is_training());
  for (const auto& child : module.children()) collect(*child, all);
}

}  // namespace

EvalMode::EvalMode(torch::nn::Module& module) {
  collect(module, were_training_);
  module.eval();
}
EvalMode::~EvalMode() {
  for (const auto& [module, was_training] : were_training_) module->train(was_training);
}

std::vector<std::int64_t> rows_not_finite(const torch::Tensor& features) {
  if (!features.defined() || features.isfinite().all().item<bool>()) return {};
  const torch::Tensor bad = features.flatten(1).isfinite().all(1).logical_not().to(torch::kCPU);
  const torch::Tensor rows = bad.nonzero().flatten().contiguous();
  const auto* first = rows.const_data_ptr<std::int64_t>();
  return {first, first + rows.numel()};
}

FeatureMatrix extract_features(model::Backbone& backbone, const data::Dataset& dataset,
                               const data::Preprocess& preprocess, FeatureKind kind,
                               const ExtractOptions& options) {
  const EvalMode eval_mode(backbone);
  const StopScope stop(backbone, options.stop);
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
