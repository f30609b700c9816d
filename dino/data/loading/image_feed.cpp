#include "dino/data/loading/image_feed.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <span>
#include <thread>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/hash.h"
#include "dino/base/text.h"
#include "dino/data/sources/bad_image.h"

namespace dino::data {
namespace {

// ---- data sets
// -----------------------------------------------------------------------------------

class DatasetFeed : public ImageFeed {
 public:
  DatasetFeed(const Dataset& dataset, const SamplerOptions& options, std::int64_t first_iteration)
      : dataset_(dataset),
        sampler_(dataset.size(), options, dataset.parts()),
        next_iteration_(first_iteration) {}

  std::int64_t iterations_per_epoch() const override { return sampler_.iterations_per_epoch(); }
  std::optional<FeedBatch> next(const std::stop_token&) override {
    FeedBatch batch{next_iteration_, sampler_.batch(next_iteration_), {}, 0};
    ++next_iteration_;
    return batch;
  }
  std::int64_t size() const override { return dataset_.size(); }
  std::int64_t candidates(const FeedBatch&) const override { return dataset_.size(); }
  /** Replacements are the images after it in the data set, cyclically. */
  Candidate candidate(const FeedBatch& batch, int position, std::int64_t step) const override {
    const std::int64_t drawn = batch.draws[static_cast<std::size_t>(position)].index;
    const std::int64_t number = (drawn + step) % dataset_.size();
    return {number, number, static_cast<std::uint64_t>(number)};
  }
  void load(const FeedBatch&, const Candidate& candidate, image::Image& out) const override {
    out = dataset_.load(candidate.number);
  }
  void load(const FeedBatch&, const Candidate& candidate, image::Planes& out) const override {
    out = dataset_.load_wide(candidate.number);
  }
  std::string name(const FeedBatch&, const Candidate& candidate) const override {
    return dataset_.name(candidate.number);
  }

 private:
  const Dataset& dataset_;
  EpochSampler sampler_;
  std::int64_t next_iteration_;
};

// ---- streams
// -------------------------------------------------------------------------------------

class StreamFeed : public ImageFeed {
 public:
  StreamFeed(const ImageStream& stream, const SamplerOptions& options, std::int64_t first_iteration,
             const BadSink& bad, LogSink sink)
      : stream_(stream),
        decoding_{stream.options().channels, stream.options().decode},
        options_(options),
        bad_([this, &bad](const std::string& name, const Error& error) {
          ++lost_;
          bad(name, error);
        }),
        log_(std::move(sink)),
        iterations_per_epoch_(epoch_length(options)),
        thread_([this, first_iteration](const std::stop_token& stop) {
          try {
            read(first_iteration, stop);
          } catch (...) {
            const std::lock_guard lock(mutex_);
            failure_ = std::current_exception();
          }
          ready_.notify_all();
        }) {}

  std::int64_t iterations_per_epoch() const override { return iterations_per_epoch_; }

  std::optional<FeedBatch> next(const std::stop_token& stop) override {
    std::unique_lock lock(mutex_);
    const auto something = [&] { return failure_ || !queue_.empty(); };
    while (!ready_.wait_for(lock, stop, kPatience, something)) {
      if (stop.stop_requested()) return std::nullopt;
      log(log_, LogLevel::Warning,
          fmt::format("no image has come for a minute from {}",
                      printable(std::string_view(stream_.shards().front()))));
    }
    if (queue_.empty()) std::rethrow_exception(failure_);
    FeedBatch batch = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    room_.notify_one();
    return batch;
  }

  std::int64_t size() const override { return 0; }
  std::int64_t candidates(const FeedBatch& batch) const override {
    return static_cast<std::int64_t>(batch.images.size());
  }
  /** Replacements are the images after it in the batch, so that they do not depend on the worker.
   */
  Candidate candidate(const FeedBatch& batch, int position, std::int64_t step) const override {
    const std::int64_t number = (position + step) % candidates(batch);
    const auto at = static_cast<std::size_t>(number);
    return {number, batch.draws[at].index,
            xxh3_64(std::as_bytes(std::span(batch.images[at].name)))};
  }
  void load(const FeedBatch& batch, const Candidate& candidate, image::Image& out) const override {
    const EncodedImage& image = encoded(batch, candidate);
    out = decode_image(image.bytes, decoding_, image.name);
  }
  void load(const FeedBatch& batch, const Candidate& candidate, image::Planes& out) const override {
    const EncodedImage& image = encoded(batch, candidate);
    out = decode_image_wide(image.bytes, decoding_, image.name);
  }
  std::string name(const FeedBatch& batch, const Candidate& candidate) const override {
    return encoded(batch, candidate).name;
  }

 private:
  static constexpr std::chrono::seconds kPatience{60};
  static constexpr std::size_t kBatchesAhead = 2;

  static const EncodedImage& encoded(const FeedBatch& batch, const Candidate& candidate) {
    return batch.images[static_cast<std::size_t>(candidate.number)];
  }

  static std::int64_t epoch_length(const SamplerOptions& options) {
    if (options.epoch_images < 1)
      fail(ErrorKind::Data,
           "[stream] nobody knows how many images a stream holds: set data.epoch_images to the "
           "number that makes an epoch");
    // The sampler's checks, with an epoch for a data set.
    return EpochSampler(options.epoch_images, options).iterations_per_epoch();
  }

  void read(std::int64_t iteration, const std::stop_token& stop) {
    const auto count = static_cast<std::int64_t>(options_.batch_size);
    for (;; iteration = (iteration / iterations_per_epoch_ + 1) * iterations_per_epoch_) {
      const std::int64_t epoch = iteration / iterations_per_epoch_;
      StreamEpoch images(stream_,
                         {.seed = options_.seed,
                          .epoch = static_cast<std::uint64_t>(epoch),
                          .rank = options_.rank,
                          .world_size = options_.world_size},
                         stop, bad_);
      const std::int64_t used = iteration % iterations_per_epoch_ * count;
      for (std::int64_t i = 0; i < used; ++i)
        if (!images.next()) return;
      for (std::int64_t done = used; done < iterations_per_epoch_ * count; done += count) {
        FeedBatch batch{epoch * iterations_per_epoch_ + done / count, {}, {}, 0};
        for (std::int64_t i = 0; i < count; ++i) {
          auto image = images.next();
          if (!image) return;
          batch.images.push_back(std::move(*image));
          batch.draws.push_back({(done + i) * options_.world_size + options_.rank,
                                 static_cast<std::uint64_t>(epoch)});
        }
        batch.lost = std::exchange(lost_, 0);
        std::unique_lock lock(mutex_);
        if (!room_.wait(lock, stop, [&] { return queue_.size() < kBatchesAhead; })) return;
        queue_.push_back(std::move(batch));
        lock.unlock();
        ready_.notify_one();
      }
    }
  }

  const ImageStream& stream_;
  const FileDecoding decoding_;
  const SamplerOptions options_;
  const BadSink bad_;
  const LogSink log_;
  const std::int64_t iterations_per_epoch_;

  std::int64_t lost_ = 0;  // since the last batch; the thread's own
  std::mutex mutex_;       // guards the two below
  std::deque<FeedBatch> queue_;
  std::exception_ptr failure_;
  std::condition_variable_any ready_, room_;
  std::jthread thread_;  // last: joined before anything it uses goes
};

}  // namespace

std::unique_ptr<ImageFeed> feed_dataset(const Dataset& dataset, const SamplerOptions& options,
                                        std::int64_t first_iteration) {
  return std::make_unique<DatasetFeed>(dataset, options, first_iteration);
}

std::unique_ptr<ImageFeed> feed_stream(const ImageStream& stream, const SamplerOptions& options,
                                       std::int64_t first_iteration, const BadSink& bad,
                                       LogSink log) {
  return std::make_unique<StreamFeed>(stream, options, first_iteration, bad, std::move(log));
}

}  // namespace dino::data
