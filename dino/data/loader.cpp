// Workers share the images of the earliest unfinished batch, so that two workers finish one batch
// in half the time instead of two batches together. One mutex guards the window of batches;
// decoding and cropping happen outside it.
#include "dino/data/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/batch_maker.h"

namespace dino::data {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr std::int64_t kListedBad = 100;  ///< bad images named in the statistics
constexpr std::int64_t kLoggedBad = 10;   ///< of these, logged one by one
constexpr std::int64_t kFewestBad = 16;   ///< a share of fewer bad images than this means nothing

}  // namespace

class Loader::Impl {
 public:
  Impl(const Dataset& dataset, const MultiCropOptions& crops, const LoaderOptions& options,
       LogSink sink)
      : dataset_(dataset),
        options_(options),
        log_(std::move(sink)),
        maker_(crops, {.batch_size = options.batch_size,
                       .channels = options.channels,
                       .seed = options.seed,
                       .patch_size = options.patch_size,
                       .masks = options.masks,
                       .mixes = options.mixes}),
        sampler_(dataset.size(), options.batch_size, options.seed),
        next_iteration_(options.first_iteration) {
    if (options.workers < 1) return;
    for (int i = 0; i < std::max(1, options.batches_ahead); ++i) window_.push_back(scheduled());
    for (int i = 0; i < options.workers; ++i)
      workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }

  std::int64_t iterations_per_epoch() const { return sampler_.iterations_per_epoch(); }

  CropBatch next() {
    const Clock::time_point start = Clock::now();
    CropBatch batch = options_.workers > 0 ? wait_for_first() : make_here();
    const std::lock_guard lock(mutex_);
    stats_.wait_seconds += seconds_since(start);
    return batch;
  }

  void recycle(CropBatch&& batch) {
    const std::lock_guard lock(mutex_);
    if (spare_.size() <= window_.size()) spare_.push_back(std::move(batch));
  }

  LoaderStats stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  /** A batch in the making. Workers write to disjoint rows; the counters are guarded by mutex_. */
  struct Slot {
    CropBatch batch;
    std::vector<std::int64_t> scheduled;  ///< [B] the sampler's indices
    int claimed = 0;                      ///< images given to workers
    int finished = 0;
  };

  // ---- the window of batches
  // ----------------------------------------------------------------------

  /** The slot of the next iteration not yet scheduled. Called by the consumer only. */
  std::unique_ptr<Slot> scheduled() {
    auto slot = std::make_unique<Slot>();
    {
      const std::lock_guard lock(mutex_);
      if (!spare_.empty()) {
        slot->batch = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    maker_.begin(slot->batch, next_iteration_);
    slot->scheduled = sampler_.batch(next_iteration_++);
    return slot;
  }

  CropBatch wait_for_first() {
    std::unique_ptr<Slot> done;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock,
                  [&] { return failure_ || window_.front()->finished == options_.batch_size; });
      if (failure_) std::rethrow_exception(failure_);
      done = std::move(window_.front());
      window_.pop_front();
    }
    // The sampler may shuffle a whole epoch here; workers meanwhile have the rest of the window.
    std::unique_ptr<Slot> fresh = scheduled();
    {
      const std::lock_guard lock(mutex_);
      window_.push_back(std::move(fresh));
    }
    work_.notify_all();
    return std::move(done->batch);
  }

  CropBatch make_here() {
    const std::unique_ptr<Slot> slot = scheduled();
    for (int i = 0; i < options_.batch_size; ++i) make_image(*slot, i, {}, here_);
    return std::move(slot->batch);
  }

  void work(const std::stop_token& stop) {
    CropWorkspace workspace;
    std::unique_lock lock(mutex_);
    while (true) {
      Slot* slot = nullptr;
      work_.wait(lock, stop, [&] { return failure_ || (slot = unclaimed()) != nullptr; });
      if (failure_ || stop.stop_requested()) return;
      const int image = slot->claimed++;
      lock.unlock();
      std::exception_ptr error;
      try {
        make_image(*slot, image, stop, workspace);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && !failure_) failure_ = error;
      if (error) work_.notify_all();
      if (++slot->finished == options_.batch_size || error) ready_.notify_one();
    }
  }

  Slot* unclaimed() {
    for (const auto& slot : window_)
      if (slot->claimed < options_.batch_size) return slot.get();
    return nullptr;
  }

  // ---- one image
  // -----------------------------------------------------------------------------------

  void make_image(Slot& slot, int position, const std::stop_token& stop, CropWorkspace& workspace) {
    const Clock::time_point start = Clock::now();
    CropBatch& batch = slot.batch;
    const std::int64_t index = slot.scheduled[static_cast<std::size_t>(position)];
    StageSeconds seconds;
    workspace.seconds = &seconds;
    image::Image source;
    {
      const Stopwatch watch = timed(workspace, &StageSeconds::decode);
      batch.indices[static_cast<std::size_t>(position)] = load_near(index, stop, source);
    }
    if (source.empty()) return;  // stopped
    const auto epoch =
        static_cast<std::uint64_t>(batch.iteration / sampler_.iterations_per_epoch());
    maker_.write(source, {options_.seed, epoch, static_cast<std::uint64_t>(index)}, position, batch,
                 workspace);
    workspace.seconds = nullptr;
    const std::lock_guard lock(mutex_);
    ++stats_.images;
    stats_.busy_seconds += seconds_since(start);
    stats_.stages += seconds;
  }

  /** Loads image `index` or, if it is bad, the nearest later one that is not (going round at the
   * end); returns which. */
  std::int64_t load_near(std::int64_t index, const std::stop_token& stop, image::Image& out) {
    for (std::int64_t step = 0; step < dataset_.size() && !stop.stop_requested(); ++step) {
      const std::int64_t candidate = (index + step) % dataset_.size();
      const bool good = try_load(candidate, out);
      check_bad_share(step == 0, good);
      if (good) return candidate;
    }
    if (!stop.stop_requested())
      fail(ErrorKind::Data, "[load images] none of the {} images can be read; first: {}",
           dataset_.size(), stats().bad.front());
    return -1;
  }

  bool try_load(std::int64_t index, image::Image& out) {
    if (known_bad(index)) return false;
    try {
      out = dataset_.load(index);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
      remember_bad(index, error.what());
      return false;
    }
    DINO_ASSERT(out.channels == options_.channels && !out.empty());
    return true;
  }

  bool known_bad(std::int64_t index) const {
    const std::lock_guard lock(mutex_);
    return bad_.contains(index);
  }

  void remember_bad(std::int64_t index, const char* reason) {
    const std::string name = printable(std::string_view(dataset_.name(index)));
    const bool named = std::string_view(reason).find(name) != std::string_view::npos;
    const std::string text = named ? reason : fmt::format("{}: {}", name, reason);
    std::int64_t count = 0;
    {
      const std::lock_guard lock(mutex_);
      if (!bad_.insert(index).second) return;  // another worker met it at the same time
      count = ++stats_.bad_count;
      if (count <= kListedBad) stats_.bad.push_back(text);
    }
    if (count <= kLoggedBad) log(log_, LogLevel::Warning, "skipped a bad image: " + text);
    if (count == kLoggedBad)
      log(log_, LogLevel::Warning, "further bad images are counted, not shown");
  }

  /** Judged on the images the sampler asked for: bad ones often lie together, and replacements
   * would meet the same ones again and again. The second count ends a walk through a wholly
   * unreadable source. */
  void check_bad_share(bool asked_for, bool good) {
    const std::lock_guard lock(mutex_);
    if (asked_for) ++asked_;
    if (good) return;
    if (asked_for) ++asked_bad_;
    const auto too_many = [&](std::int64_t bad, std::int64_t of) {
      return bad >= kFewestBad &&
             static_cast<double>(bad) > options_.max_bad_share * static_cast<double>(of);
    };
    if (too_many(asked_bad_, asked_) || too_many(stats_.bad_count, dataset_.size()))
      fail(ErrorKind::Data,
           "[load images] {} images cannot be read, more than the share data.max_bad_share = {} "
           "allows; first: {}; check data.train",
           stats_.bad_count, options_.max_bad_share, stats_.bad.front());
  }

  const Dataset& dataset_;
  const LoaderOptions options_;
  const LogSink log_;
  const BatchMaker maker_;
  EpochSampler sampler_;         // consumer only
  std::int64_t next_iteration_;  // consumer only
  CropWorkspace here_;           // of the consumer, where there are no workers

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable_any work_;
  std::condition_variable ready_;
  std::deque<std::unique_ptr<Slot>> window_;  // front: the batch next() gives
  std::vector<CropBatch> spare_;
  std::exception_ptr failure_;
  LoaderStats stats_;
  std::unordered_set<std::int64_t> bad_;
  std::int64_t asked_ = 0, asked_bad_ = 0;  // loads of the sampler's own choice
  std::vector<std::jthread> workers_;       // last: joined before anything they use goes
};

Loader::Loader(const Dataset& dataset, const MultiCropOptions& crops, const LoaderOptions& options,
               LogSink log)
    : impl_(std::make_unique<Impl>(dataset, crops, options, std::move(log))) {}
Loader::~Loader() = default;

std::int64_t Loader::iterations_per_epoch() const {
  return impl_->iterations_per_epoch();
}
CropBatch Loader::next() {
  return impl_->next();
}
void Loader::recycle(CropBatch&& batch) {
  impl_->recycle(std::move(batch));
}
LoaderStats Loader::stats() const {
  return impl_->stats();
}

}  // namespace dino::data
