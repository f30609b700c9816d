#include "dino/embed/image_batches.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <future>
#include <map>
#include <utility>

#include "dino/base/cores.h"
#include "dino/base/error.h"
#include "dino/base/gate.h"
#include "dino/base/thread_pool.h"

namespace dino::embed {
namespace {

constexpr std::int64_t kImagesPerTask = 8;  // small images take less time than handing them out
constexpr std::int64_t kBatchesAhead = 4;   // where sizes differ: what waits costs memory
constexpr std::int64_t kBatchTokens = std::int64_t{1} << 17;  // 512 images of 224 px, 8 of 1,792

// Prepared pixels after which a stretch ends early, so that large images do not fill the memory.
constexpr std::size_t kStretchBytes = std::size_t{1} << 30;

/** Images of that size per batch. */
std::int64_t images_per_batch(int height, int width, const BatchOptions& options) {
  if (options.patch_size == 1) return options.batch_size;  // pixels are wanted, no network
  const std::int64_t tokens = data::token_count(height, width, options.patch_size);
  return std::clamp<std::int64_t>(kBatchTokens / tokens, 1, options.batch_size);
}

class StretchReader {
 public:
  StretchReader(const data::Dataset& dataset, const data::Preprocess& preprocess,
                const BatchOptions& options, const ThreadPlan& plan)
      : dataset_(dataset),
        options_(options),
        preparer_(preprocess, options.patch_size, options.max_tokens),
        gate_(plan.beside),
        pool_(static_cast<std::size_t>(plan.loading)) {}

  ~StretchReader() { gate_.open(); }  // for workers that wait before it

  /** The images at `order`, prepared by the workers while the caller goes on. */
  std::future<ImageStretch> start(std::span<const std::int64_t> order) {
    return pool_.submit([this, order] { return read(order); });
  }

  /** Waits for a stretch; only meanwhile may all workers run. */
  ImageStretch wait(std::future<ImageStretch>& stretch) {
    gate_.open();
    stretch.wait();
    gate_.narrow();
    return stretch.get();
  }

 private:
  ImageStretch read(std::span<const std::int64_t> order) {
    std::vector<data::Prepared> prepared(order.size());
    std::vector<std::string> reasons(order.size());
    ImageStretch stretch;
    stretch.done = load(order, prepared, reasons);  // the walk adds what came before
    order = order.first(static_cast<std::size_t>(stretch.done));
    std::map<std::pair<int, int>, std::size_t> open;  // size -> its last batch
    std::vector<std::vector<std::size_t>> sources;    // of each batch: places in `prepared`
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (!reasons[i].empty()) {
        stretch.bad.push_back({order[i], std::move(reasons[i])});
        continue;
      }
      const auto [found, is_new] =
          open.try_emplace({prepared[i].height, prepared[i].width}, sources.size());
      if (is_new || std::ssize(sources[found->second]) ==
                        images_per_batch(prepared[i].height, prepared[i].width, options_)) {
        found->second = sources.size();
        sources.emplace_back();
        stretch.batches.emplace_back();
      }
      sources[found->second].push_back(i);
      stretch.batches[found->second].rows.push_back(std::ssize(stretch.indices));
      stretch.indices.push_back(order[i]);
      stretch.placements.push_back(prepared[i].placement);
    }
    for (std::size_t b = 0; b < sources.size(); ++b) {
      const data::Prepared& first = prepared[sources[b].front()];
      torch::Tensor& images = stretch.batches[b].images;
      images = torch::empty({std::ssize(sources[b]), preparer_.preprocess().channels, first.height,
                             first.width});  // [B, C, H, W]
      float* out = images.data_ptr<float>();
      for (const std::size_t i : sources[b]) {
        out = std::ranges::copy(prepared[i].pixels, out).out;
        prepared[i].pixels = {};
      }
    }
    return stretch;
  }

  /** Prepares images, a batch at a time, until the stretch is complete or takes too much memory;
   * returns how many. */
  std::int64_t load(std::span<const std::int64_t> order, std::vector<data::Prepared>& prepared,
                    std::vector<std::string>& reasons) {
    std::int64_t count = 0;
    for (std::size_t bytes = 0; count < std::ssize(order) && bytes < kStretchBytes;) {
      const std::int64_t first = count;
      count = std::min<std::int64_t>(first + options_.batch_size, std::ssize(order));
      const std::int64_t tasks = (count - first + kImagesPerTask - 1) / kImagesPerTask;
      pool_.parallel_for(tasks, [&](std::int64_t task) {
        const std::int64_t last = std::min(count, first + (task + 1) * kImagesPerTask);
        Gate::Pass pass(gate_);
        for (std::int64_t k = first + task * kImagesPerTask; k < last; ++k, pass.renew()) {
          const auto i = static_cast<std::size_t>(k);
          reasons[i] = load_into(order[i], prepared[i]);
        }
      });
      for (std::int64_t k = first; k < count; ++k)
        bytes += prepared[static_cast<std::size_t>(k)].pixels.size() * sizeof(float);
    }
    return count;
  }

  /** Empty, or why the image cannot be used. */
  std::string load_into(std::int64_t index, data::Prepared& out) const {
    if (options_.stop.stop_requested()) return "stopped";  // nobody will look at this stretch
    try {
      out = preparer_(dataset_, index);
      if (options_.augment.any())
        data::augment_prepared(out, preparer_.preprocess(), options_.augment, index);
      return {};
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format &&
          error.kind() != ErrorKind::Data)
        throw;
      return error.what();
    }
  }

  const data::Dataset& dataset_;
  const BatchOptions options_;
  const data::Preparer preparer_;
  Gate gate_;
  ThreadPool pool_;  // last: its threads use the members above
};

}  // namespace

void for_each_stretch(const data::Dataset& dataset, std::span<const std::int64_t> order,
                      const data::Preprocess& preprocess, const BatchOptions& options,
                      const std::function<bool(ImageStretch&)>& visit) {
  if (options.batch_size < 1)
    fail(ErrorKind::Usage, "[extract] batch size must be at least 1: {}", options.batch_size);
  StretchReader reader(
      dataset, preprocess, options,
      plan_features(options.threads > 0 ? options.threads : at::get_num_threads()));
  std::int64_t images = options.batch_size * kBatchesAhead;
  if (!data::keeps_shape(preprocess)) {  // all are squares of one size
    const int side = preprocess.image_size;
    data::check_token_count(side, side, options.patch_size, options.max_tokens);
    images = images_per_batch(side, side, options);
  }
  const auto length = static_cast<std::size_t>(images);
  const auto read_from = [&](std::size_t begin) {
    return reader.start(order.subspan(begin, std::min(length, order.size() - begin)));
  };
  std::future<ImageStretch> next;
  if (!order.empty()) next = read_from(0);
  for (std::size_t begin = 0; begin < order.size();) {
    ImageStretch stretch = reader.wait(next);
    if (options.stop.stop_requested()) return;
    begin += static_cast<std::size_t>(stretch.done);
    stretch.done = static_cast<std::int64_t>(begin);
    if (begin < order.size()) next = read_from(begin);
    if (!visit(stretch)) return;
  }
}

}  // namespace dino::embed
