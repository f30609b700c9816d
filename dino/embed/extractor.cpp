// One batch is decoded by helper threads while the network works on the previous one; rows come out
// in data-set order whatever the threads did.
#include "dino/embed/extractor.h"

#include <torch/torch.h>

#include <algorithm>
#include <future>

#include "dino/base/error.h"
#include "dino/base/thread_pool.h"
#include "dino/data/multi_crop.h"

namespace dino::embed {
namespace {

constexpr std::size_t kBadNamesKept = 100;
constexpr std::int64_t kImagesPerTask = 8;  // small images take less time than handing them out

/** The readable images of one stretch of the data set. */
struct Batch {
  torch::Tensor images;               // [B, C, H, W] fp32
  std::vector<std::int64_t> indices;  // [B]
  std::vector<std::string> bad;       // "name: reason"
};

data::MultiCropOptions normalization(const data::Preprocess& preprocess) {
  data::MultiCropOptions options;
  options.mean = preprocess.mean;
  options.std = preprocess.std;
  return options;
}

class BatchReader {
 public:
  BatchReader(const data::Dataset& dataset, const data::Preprocess& preprocess,
              const ExtractOptions& options)
      : dataset_(dataset),
        preprocess_(preprocess),
        options_(options),
        normalization_(normalization(preprocess)),
        pool_(static_cast<std::size_t>(std::max(options.threads, 1))) {}

  /** Images [begin, end), prepared by the workers while the caller goes on. */
  std::future<Batch> start(std::int64_t begin, std::int64_t end) {
    return pool_.submit([this, begin, end] { return read(begin, end); });
  }

 private:
  Batch read(std::int64_t begin, std::int64_t end) {
    const std::int64_t size = preprocess_.image_size, count = end - begin;
    Batch batch;
    batch.images = torch::empty({count, preprocess_.channels, size, size});  // [B, C, H, W]
    float* pixels = batch.images.data_ptr<float>();
    const std::int64_t stride = preprocess_.channels * size * size;
    std::vector<std::string> reasons(static_cast<std::size_t>(count));
    const std::int64_t runs = (count + kImagesPerTask - 1) / kImagesPerTask;
    pool_.parallel_for(runs, [&](std::int64_t run) {
      const std::int64_t last = std::min(count, (run + 1) * kImagesPerTask);
      for (std::int64_t i = run * kImagesPerTask; i < last; ++i)
        reasons[static_cast<std::size_t>(i)] = load_into(begin + i, pixels + i * stride);
    });
    // Close the gaps of unreadable images, keeping the order.
    for (std::int64_t i = 0; i < count; ++i) {
      auto& reason = reasons[static_cast<std::size_t>(i)];
      if (!reason.empty()) {
        batch.bad.push_back(std::move(reason));
        continue;
      }
      const auto row = static_cast<std::int64_t>(batch.indices.size());
      if (row != i) std::copy_n(pixels + i * stride, stride, pixels + row * stride);
      batch.indices.push_back(begin + i);
    }
    batch.images = batch.images.narrow(0, 0, static_cast<std::int64_t>(batch.indices.size()));
    return batch;
  }

  /** Empty, or why the image cannot be used. */
  std::string load_into(std::int64_t index, float* out) const {
    try {
      image::Image square = data::eval_crop(dataset_.load(index), preprocess_);
      if (options_.augment.any()) square = data::augmented(square, options_.augment, index);
      data::normalize(square, normalization_, out);
      return {};
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
      return fmt::format("{}: {}", dataset_.name(index), error.what());
    }
  }

  const data::Dataset& dataset_;
  const data::Preprocess& preprocess_;
  const ExtractOptions& options_;
  data::MultiCropOptions normalization_;
  ThreadPool pool_;  // last: its threads use the members above
};

/** Runs `to_rows` ([B, C, H, W] -> [B, D]) over the whole data set. */
FeatureMatrix extract(const data::Dataset& dataset, const data::Preprocess& preprocess,
                      const ExtractOptions& options,
                      const std::function<torch::Tensor(const torch::Tensor&)>& to_rows) {
  const torch::NoGradGuard no_grad;
  data::validate(preprocess);
  if (options.batch_size < 1)
    fail(ErrorKind::Usage, "[extract] batch size must be at least 1: {}", options.batch_size);
  const std::int64_t total = dataset.size();
  BatchReader reader(dataset, preprocess, options);
  const auto read_from = [&](std::int64_t begin) {
    return reader.start(begin, std::min(begin + options.batch_size, total));
  };

  FeatureMatrix result;
  std::int64_t rows = 0;
  std::future<Batch> next;
  if (total > 0) next = read_from(0);
  for (std::int64_t begin = 0; begin < total && !result.stopped; begin += options.batch_size) {
    Batch batch = next.get();
    if (begin + options.batch_size < total) next = read_from(begin + options.batch_size);
    if (!batch.indices.empty()) {
      const auto features = to_rows(batch.images).to(torch::kFloat32);  // [B, D]
      if (!result.features.defined()) result.features = torch::empty({total, features.size(1)});
      result.features.narrow(0, rows, features.size(0)).copy_(features);
      rows += features.size(0);
    }
    for (const auto index : batch.indices) result.labels.push_back(dataset.label(index));
    result.indices.insert(result.indices.end(), batch.indices.begin(), batch.indices.end());
    result.bad_count += static_cast<std::int64_t>(batch.bad.size());
    for (auto& reason : batch.bad)
      if (result.bad.size() < kBadNamesKept) result.bad.push_back(std::move(reason));
    if (options.progress) options.progress(std::min(begin + options.batch_size, total), total);
    result.stopped = options.stop.stop_requested();
  }
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

torch::Tensor to_batch(const std::vector<image::Image>& squares,
                       const data::Preprocess& preprocess) {
  data::validate(preprocess);
  if (squares.empty()) fail(ErrorKind::Usage, "[to_batch] no images");
  const auto options = normalization(preprocess);
  const std::int64_t height = squares.front().height, width = squares.front().width;
  auto batch =
      torch::empty({static_cast<std::int64_t>(squares.size()), preprocess.channels, height, width});
  const std::int64_t stride = preprocess.channels * height * width;
  float* out = batch.data_ptr<float>();
  for (const auto& square : squares) {
    if (square.width != width || square.height != height || square.channels != preprocess.channels)
      fail(ErrorKind::Usage, "[to_batch] images differ in size or channels: {} x {} x {}",
           square.width, square.height, square.channels);
    data::normalize(square, options, out);
    out += stride;
  }
  return batch;  // [n, C, H, W]
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
