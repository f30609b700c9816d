// Workers share the images of the earliest unfinished batch, so that two workers finish one batch
// in half the time instead of two batches together. One mutex guards the window of batches;
// decoding and cropping happen outside it.
#include "dino/data/loading/loader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/hash.h"
#include "dino/data/loading/bad_share.h"
#include "dino/data/loading/batch_maker.h"
#include "dino/data/loading/image_feed.h"

namespace dino::data {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check_samples(const LoaderOptions& options) {
  if (options.full_range && options.type == SampleType::U8)
    fail(ErrorKind::Config, "[load images] batches of uint8 cannot hold the full range of samples");
  if (!options.full_range && options.channels != 1 && options.channels != 3)
    fail(ErrorKind::Config, "[load images] images of {} channels need full_range",
         options.channels);
}

}  // namespace

class Loader::Impl {
 public:
  using MakeFeed = std::function<std::unique_ptr<ImageFeed>(const SamplerOptions&, const BadSink&)>;

  Impl(const MakeFeed& make_feed, const MultiCropOptions& crops, const LoaderOptions& options,
       LogSink sink)
      : options_(options),
        maker_(crops, {.batch_size = options.batch_size,
                       .channels = options.channels,
                       .seed = options.seed,
                       .patch_size = options.patch_size,
                       .rank = options.rank,
                       .masks = options.masks,
                       .mixes = options.mixes,
                       .type = options.type}),
        bad_(std::move(sink)),
        bad_shard_([this](const std::string& name, const Error& error) {
          bad_.add(xxh3_64(std::as_bytes(std::span(name))), name, error);
        }) {
    check_samples(options);
    feed_ = make_feed({.batch_size = options.batch_size,
                       .seed = options.seed,
                       .epoch_images = options.epoch_images,
                       .rank = options.rank,
                       .world_size = options.world_size},
                      bad_shard_);
    images_ = feed_->size();
    if (options.workers < 1) return;
    if (images_ > 0) fill_window();  // a stream would make us wait; next() does
    for (int i = 0; i < options.workers; ++i)
      workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }

  std::int64_t iterations_per_epoch() const { return feed_->iterations_per_epoch(); }

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
    BadImages::Counts bad = bad_.counts();
    const std::lock_guard lock(mutex_);
    LoaderStats stats = stats_;
    stats.bad = std::move(bad.listed);
    stats.bad_count = bad.all;
    stats.bad_by_reason = std::move(bad.by_reason);
    return stats;
  }

  std::vector<BadFile> take_bad() { return bad_.take_new(); }

 private:
  /** A batch in the making. Workers write to disjoint rows; the counters are guarded by mutex_. */
  struct Slot {
    CropBatch batch;
    FeedBatch scheduled;  ///< the images chosen for it
    int claimed = 0;      ///< images given to workers
    int finished = 0;
    std::exception_ptr failure;            ///< why there is no batch, if there is none:
    int failed_at = 0;                     ///< of the first place that failed
    bool counted = false;                  ///< see count_bad()
    std::int64_t asked_bad = 0;            ///< images drawn that are bad
    std::vector<std::uint64_t> bad_met{};  ///< identities of all bad ones on the way
  };

  // ---- the window of batches
  // ----------------------------------------------------------------------

  /** The slot of the next iteration not yet scheduled. Where the feed fails, a slot that says so:
   * the batches before it are given first, so that the failure comes at a step that depends on
   * nothing else. Called by the consumer only. */
  std::unique_ptr<Slot> scheduled() {
    auto slot = std::make_unique<Slot>();
    {
      const std::lock_guard lock(mutex_);
      if (!spare_.empty()) {
        slot->batch = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    try {
      auto chosen = feed_->next(options_.stop);
      if (!chosen) throw Stopped();
      slot->scheduled = std::move(*chosen);
      maker_.begin(slot->batch, slot->scheduled.iteration);
    } catch (const Stopped&) {
      throw;
    } catch (...) {
      slot->failure = std::current_exception();
      slot->claimed = slot->finished = options_.batch_size;
      feed_failed_ = true;
    }
    return slot;
  }

  /** Called by the consumer only. */
  void fill_window() {
    const auto wanted = static_cast<std::size_t>(std::max(1, options_.batches_ahead));
    for (std::size_t i = window_.size(); i < wanted && !feed_failed_; ++i) append(scheduled());
  }

  void append(std::unique_ptr<Slot> slot) {
    {
      const std::lock_guard lock(mutex_);
      window_.push_back(std::move(slot));
    }
    work_.notify_all();
  }

  CropBatch wait_for_first() {
    if (window_.empty()) fill_window();
    {
      const auto is_there = [&] { return window_.front()->finished == options_.batch_size; };
      std::unique_lock lock(mutex_);
      if (!is_there()) {
        waiting_ = true;
        work_.notify_all();
        const bool settled = ready_.wait(lock, options_.stop, is_there);
        waiting_ = false;
        if (!settled) throw Stopped();
      }
    }
    settle(*window_.front());  // finished: no worker touches it any more
    // The sampler may shuffle a whole epoch here, a stream make us wait; workers meanwhile have the
    // rest of the window. A stop leaves the finished batch where it is.
    if (!feed_failed_) append(scheduled());
    const std::lock_guard lock(mutex_);
    const std::unique_ptr<Slot> done = std::move(window_.front());
    window_.pop_front();
    return std::move(done->batch);
  }

  /** Without workers: the same by the consumer itself. */
  CropBatch make_here() {
    if (window_.empty()) {
      window_.push_back(scheduled());
      Slot& slot = *window_.front();
      for (int i = 0; i < options_.batch_size && !slot.failure; ++i) try {
          make_image(slot, i, {}, here_);
        } catch (...) {
          slot.failure = std::current_exception();
        }
    }
    settle(*window_.front());
    const std::unique_ptr<Slot> done = std::move(window_.front());
    window_.pop_front();
    return std::move(done->batch);
  }

  /** Rethrows why a finished slot has no batch, again at each call. Called by the consumer only,
   * who leaves it where it is. */
  void settle(Slot& slot) {
    if (!slot.failure && !std::exchange(slot.counted, true)) try {
        count_bad(slot);
      } catch (...) {
        slot.failure = std::current_exception();
      }
    if (slot.failure) std::rethrow_exception(slot.failure);
  }

  void work(const std::stop_token& stop) {
    CropWorkspace workspace;
    std::unique_lock lock(mutex_);
    while (true) {
      Slot* slot = nullptr;
      work_.wait(lock, stop, [&] { return may_run() && (slot = unclaimed()) != nullptr; });
      if (stop.stop_requested()) return;
      const int image = slot->claimed++;
      ++running_;
      lock.unlock();
      std::exception_ptr error;
      try {
        make_image(*slot, image, stop, workspace);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      --running_;
      if (error && (!slot->failure || image < slot->failed_at)) {
        slot->failure = error;
        slot->failed_at = image;
      }
      if (++slot->finished == options_.batch_size) ready_.notify_one();
    }
  }

  bool may_run() const { return waiting_ || running_ < options_.workers_beside; }

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
    const Draw draw = slot.scheduled.draws[static_cast<std::size_t>(position)];
    const auto index = static_cast<std::uint64_t>(draw.index);
    StageSeconds seconds;
    workspace.seconds = &seconds;
    const auto make = [&]<typename Pixels>(Pixels source) {
      {
        const Stopwatch watch = timed(workspace, &StageSeconds::decode);
        batch.indices[static_cast<std::size_t>(position)] = load_near(slot, position, stop, source);
      }
      if (source.empty()) return false;  // stopped
      maker_.write(source, {options_.seed, draw.pass, index}, position, batch, workspace);
      return true;
    };
    const bool made = options_.full_range ? make(image::Planes()) : make(image::Image());
    workspace.seconds = nullptr;
    if (!made) return;
    const std::lock_guard lock(mutex_);
    ++stats_.images;
    stats_.busy_seconds += seconds_since(start);
    stats_.stages += seconds;
  }

  /** Loads the image drawn for `position` or, if it is bad, the first of its replacements that is
   * not; returns which. */
  template <typename Pixels>
  std::int64_t load_near(Slot& slot, int position, const std::stop_token& stop, Pixels& out) {
    const FeedBatch& drawn = slot.scheduled;
    const std::int64_t candidates = feed_->candidates(drawn);
    std::vector<std::uint64_t> bad;
    std::int64_t found = -1;
    for (std::int64_t step = 0; step < candidates && found < 0 && !stop.stop_requested(); ++step) {
      const Candidate candidate = feed_->candidate(drawn, position, step);
      if (try_load(drawn, candidate, out))
        found = candidate.index;
      else
        bad.push_back(candidate.identity);
      if (images_ > 0 && bad_share_.over(std::ssize(bad), images_)) refuse_share();  // all bad
    }
    if (found < 0 && !stop.stop_requested())
      fail(ErrorKind::Data, "[load images] none of the {} images can be read; first: {}",
           candidates, bad_.counts().listed.front());
    const std::lock_guard lock(mutex_);
    slot.asked_bad += bad.empty() ? 0 : 1;
    slot.bad_met.insert(slot.bad_met.end(), bad.begin(), bad.end());
    return found;
  }

  template <typename Pixels>
  bool try_load(const FeedBatch& drawn, const Candidate& candidate, Pixels& out) {
    if (bad_.contains(candidate.identity)) return false;
    try {
      feed_->load(drawn, candidate, out);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
      bad_.add(candidate.identity, feed_->name(drawn, candidate), error);
      return false;
    }
    DINO_ASSERT(out.channels == options_.channels && !out.empty());
    return true;
  }

  [[noreturn]] void refuse_share() const {
    const BadImages::Counts now = bad_.counts();
    fail(ErrorKind::Data,
         "[load images] {} images cannot be read ({}), more than the share data.max_bad_share = {} "
         "allows; first: {}; check data.train",
         now.all, bad_reasons(now.by_reason), options_.max_bad_share, now.listed.front());
  }

  /** Batch by batch as they are given, so that it does not depend on how far workers are ahead. */
  void count_bad(const Slot& slot) {
    const std::int64_t lost = slot.scheduled.lost;
    if (bad_share_.add(options_.batch_size + lost, slot.asked_bad + lost, slot.bad_met, images_))
      refuse_share();
  }

  const LoaderOptions options_;
  const BatchMaker maker_;
  BadImages bad_;
  CropWorkspace here_;  // of the consumer, where there are no workers
  const BadSink bad_shard_;
  std::atomic<std::int64_t> images_ = 0;  // of the feed, which may report before it is here

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable_any work_, ready_;
  std::deque<std::unique_ptr<Slot>> window_;  // front: the batch next() gives
  bool waiting_ = false;                      // the consumer, for the first batch
  int running_ = 0;                           // workers amid an image
  std::vector<CropBatch> spare_;
  LoaderStats stats_;
  BadShare bad_share_{options_.max_bad_share};  // of the batches given; the consumer's own
  bool feed_failed_ = false;
  std::unique_ptr<ImageFeed> feed_;    // its thread uses what is above
  std::vector<std::jthread> workers_;  // last: joined before anything they use goes
};

Loader::Loader(const Dataset& dataset, const MultiCropOptions& crops, const LoaderOptions& options,
               LogSink log)
    : impl_(std::make_unique<Impl>(
          [&](const SamplerOptions& sampling, const BadSink&) {
            return feed_dataset(dataset, sampling, options.first_iteration);
          },
          crops, options, std::move(log))) {}
Loader::Loader(const ImageStream& stream, const MultiCropOptions& crops,
               const LoaderOptions& options, LogSink log)
    : impl_(std::make_unique<Impl>(
          [&](const SamplerOptions& sampling, const BadSink& bad) {
            return feed_stream(stream, sampling, options.first_iteration, bad, log);
          },
          crops, options, log)) {}
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
std::vector<BadFile> Loader::take_bad() {
  return impl_->take_bad();
}

}  // namespace dino::data
