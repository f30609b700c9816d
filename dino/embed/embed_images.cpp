#include "dino/embed/embed_images.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <unordered_map>

#include "dino/base/error.h"
#include "dino/base/hash.h"
#include "dino/embed/feature_matrix.h"
#include "dino/embed/image_batches.h"

namespace dino::embed {
namespace {

constexpr std::size_t kBadNamesListed = 100;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/** A batch's features on the CPU; those that the store does not keep are undefined tensors. */
struct BatchFeatures {
  torch::Tensor cls, mean, registers, patches;  // [B, D], [B, D], [B, R, D], [B, P, D]
  int grid_height = 0, grid_width = 0;

  RowFeatures row(std::int64_t i) const {
    const auto values = [i](const torch::Tensor& t) {
      if (!t.defined()) return std::span<const float>();
      const std::int64_t count = t.numel() / t.size(0);
      return std::span(t.const_data_ptr<float>() + i * count, static_cast<std::size_t>(count));
    };
    return {values(cls), values(mean), values(registers), values(patches)};
  }
};

class Embedder {
 public:
  Embedder(model::Backbone& backbone, const StoreHeader& header)
      : backbone_(backbone), header_(header) {}

  BatchFeatures operator()(const torch::Tensor& images) const {
    BatchFeatures out;
    if (header_.features == std::vector{Feature::Cls}) {  // the last block computes CLS alone
      out.cls = plain(
          backbone_.forward_groups({{.images = images, .masks = {}}}, model::Tokens::Cls)[0].cls);
      out.grid_height = static_cast<int>(images.size(2)) / header_.patch_size;
      out.grid_width = static_cast<int>(images.size(3)) / header_.patch_size;
      return out;
    }
    const model::Features features = backbone_.forward_features(images);
    const auto keeps = [&](Feature feature) {
      return std::ranges::find(header_.features, feature) != header_.features.end();
    };
    if (keeps(Feature::Cls)) out.cls = plain(features.cls);
    if (keeps(Feature::Mean)) out.mean = plain(features.patches.mean(1));  // [B, P, D] -> [B, D]
    if (keeps(Feature::Registers)) out.registers = plain(features.registers);
    if (keeps(Feature::Patches)) out.patches = plain(features.patches);
    out.grid_height = features.grid_height;
    out.grid_width = features.grid_width;
    return out;
  }

 private:
  static torch::Tensor plain(const torch::Tensor& t) {
    return t.defined() ? t.to(torch::kCPU, torch::kFloat32).contiguous() : t;
  }

  model::Backbone& backbone_;
  const StoreHeader& header_;
};

/** Indices of the images that are not in the store. An image that is listed several times gets as
 * many rows, in the order of the list. */
std::vector<std::int64_t> missing(const data::Dataset& dataset, const FeatureStoreWriter& store) {
  std::vector<std::int64_t> order;
  std::unordered_map<std::string, std::int64_t> seen;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const std::string name = dataset.name(i);
    if (seen[name]++ >= store.rows_of(name) && !store.is_bad(name)) order.push_back(i);
  }
  return order;
}

/** Rows of a batch with a feature that is not finite. */
std::set<std::int64_t> rows_not_finite_in(const BatchFeatures& features) {
  std::set<std::int64_t> rows;
  for (const auto& part : {features.cls, features.mean, features.registers, features.patches})
    for (const std::int64_t row : embed::rows_not_finite(part)) rows.insert(row);
  return rows;
}

/** Adds the stretches of one run to the store. */
class Run {
 public:
  Run(const data::Dataset& dataset, FeatureStoreWriter& store, EmbedResult& result)
      : dataset_(dataset), store_(store), result_(result) {}

  void add(const ImageStretch& stretch, const std::vector<BatchFeatures>& features) {
    for (const SkippedImage& bad : stretch.bad) add_bad(bad.index, bad.reason);
    std::vector<std::pair<std::size_t, std::int64_t>> where(stretch.indices.size());
    std::vector<std::set<std::int64_t>> not_finite;
    for (std::size_t b = 0; b < stretch.batches.size(); ++b) {
      not_finite.push_back(rows_not_finite_in(features[b]));
      for (std::size_t i = 0; i < stretch.batches[b].rows.size(); ++i)
        where[static_cast<std::size_t>(stretch.batches[b].rows[i])] = {
            b, static_cast<std::int64_t>(i)};
    }
    for (std::size_t n = 0; n < where.size(); ++n) {
      const auto [b, i] = where[n];
      const std::int64_t index = stretch.indices[n];
      if (not_finite[b].contains(i)) {
        ++result_.not_finite;
        add_bad(index, kNotFinite);
        continue;
      }
      ++result_.added;
      store_.add({.path = dataset_.name(index),
                  .label = dataset_.label(index),
                  .width = stretch.placements[n].source_width,
                  .height = stretch.placements[n].source_height,
                  .grid_height = features[b].grid_height,
                  .grid_width = features[b].grid_width},
                 features[b].row(i));
    }
  }

 private:
  void add_bad(std::int64_t index, const std::string& reason) {
    const std::string name = dataset_.name(index);
    store_.add_bad(name, reason);
    ++result_.bad_count;
    if (result_.bad.size() < kBadNamesListed)
      result_.bad.push_back(fmt::format("{}: {}", name, reason));
  }

  const data::Dataset& dataset_;
  FeatureStoreWriter& store_;
  EmbedResult& result_;
};

}  // namespace

EmbedResult embed_images(model::Backbone& backbone, const data::Dataset& dataset,
                         const data::Preprocess& preprocess, FeatureStoreWriter& store,
                         const EmbedOptions& options) {
  const torch::NoGradGuard no_grad;
  const EvalMode eval_mode(backbone);
  const StopScope stop(backbone, options.stop);
  const Clock::time_point begin = Clock::now();
  const Embedder embed(backbone, store.header());
  const std::vector<std::int64_t> order = missing(dataset, store);
  EmbedResult result;
  result.known = dataset.size() - std::ssize(order);
  Run run(dataset, store, result);
  Clock::time_point committed = begin;
  std::int64_t done = 0;
  const auto visit = [&](ImageStretch& stretch) {
    const Clock::time_point start = Clock::now();
    std::vector<BatchFeatures> features;
    for (const ImageBatch& batch : stretch.batches) features.push_back(embed(batch.images));
    result.model_seconds += seconds_since(start);
    const Clock::time_point computed = Clock::now();
    run.add(stretch, features);
    done = stretch.done;
    if (seconds_since(committed) >= options.commit_seconds) {
      store.commit();
      committed = Clock::now();
    }
    result.store_seconds += seconds_since(computed);
    if (options.progress) options.progress(done, std::ssize(order));
    return !options.stop.stop_requested();
  };
  try {
    for_each_stretch(dataset, order, preprocess,
                     {.batch_size = options.batch_size,
                      .threads = options.threads,
                      .patch_size = store.header().patch_size,
                      .max_tokens = options.max_tokens,
                      .stop = options.stop},
                     visit);
  } catch (const model::Stopped&) {  // amid a batch: the same command computes it again
  }
  result.stopped = options.stop.stop_requested() && done < std::ssize(order);
  const Clock::time_point last = Clock::now();
  store.commit();
  result.store_seconds += seconds_since(last);
  result.seconds = seconds_since(begin);
  if (store.size() == 0 && !result.stopped && dataset.size() > 0)
    fail(ErrorKind::Data, "[embed] none of the {} images can be used{}{}", dataset.size(),
         result.bad.empty() ? "" : "; the first: ", result.bad.empty() ? "" : result.bad.front());
  return result;
}

std::string weights_hash(const torch::nn::Module& module) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& item : module.named_parameters()) tensors[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) tensors[item.key()] = item.value();
  std::string text;
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor values = tensor.detach().to(torch::kCPU).contiguous();
    text += fmt::format(
        "{} {} [{}] {}\n", name, c10::toString(values.scalar_type()),
        fmt::join(values.sizes(), ","),
        xxh3_128_hex({static_cast<const std::byte*>(values.data_ptr()), values.nbytes()}));
  }
  return xxh3_128_hex(std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace dino::embed
