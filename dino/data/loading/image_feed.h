// What the loader's workers load from: batches of images chosen ahead, from a data set or a stream,
// behind one interface; private to dino/data.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/base/log.h"
#include "dino/data/loading/sampler.h"
#include "dino/data/sources/dataset.h"
#include "dino/data/sources/image_stream.h"

namespace dino::data {

/** The images of one iteration, not decoded yet. */
struct FeedBatch {
  std::int64_t iteration = 0;
  std::vector<Draw> draws;           ///< [B]
  std::vector<EncodedImage> images;  ///< [B], of streams
  std::int64_t lost = 0;             ///< of streams: what could not be read on the way to them
};

/** An image that may stand at a place of a batch. */
struct Candidate {
  std::int64_t number = 0;     ///< in the data set, or in the batch of a stream
  std::int64_t index = 0;      ///< what CropBatch::indices says of it
  std::uint64_t identity = 0;  ///< to know a bad one again
};

/** One consumer calls next(); the rest is thread-safe. */
class ImageFeed {
 public:
  virtual ~ImageFeed() = default;
  virtual std::int64_t iterations_per_epoch() const = 0;
  /** The next iteration's images. Streams: waits for them; nothing if `stop` is requested
   * meanwhile; throws Error{Data} where their shards or commands fail. */
  virtual std::optional<FeedBatch> next(const std::stop_token& stop) = 0;
  /** Images there are in all; 0 if nobody knows. */
  virtual std::int64_t size() const = 0;
  /** How many candidates each place has. */
  virtual std::int64_t candidates(const FeedBatch& batch) const = 0;
  /** Candidate 0 is the image drawn for `position`, the others are its replacements should it be
   * bad. */
  virtual Candidate candidate(const FeedBatch& batch, int position, std::int64_t step) const = 0;
  /** Decodes it. Throws Error{Io|Format} if it is bad. */
  virtual void load(const FeedBatch& batch, const Candidate& candidate,
                    image::Image& out) const = 0;
  /** The same without loss of range. */
  virtual void load(const FeedBatch& batch, const Candidate& candidate,
                    image::Planes& out) const = 0;
  virtual std::string name(const FeedBatch& batch, const Candidate& candidate) const = 0;
};

/** Batches from `first_iteration` on. Borrows the data set. */
std::unique_ptr<ImageFeed> feed_dataset(const Dataset& dataset, const SamplerOptions& options,
                                        std::int64_t first_iteration);

/** The same from a stream, read ahead by a thread of its own. An epoch begins its shards anew, so a
 * run that starts within one reads from its beginning and drops what was used. Needs epoch_images.
 * Borrows the stream and `bad`, which that thread calls; `log` is told when nothing comes for a
 * minute. */
std::unique_ptr<ImageFeed> feed_stream(const ImageStream& stream, const SamplerOptions& options,
                                       std::int64_t first_iteration, const BadSink& bad,
                                       LogSink log);

}  // namespace dino::data
