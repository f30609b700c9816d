// The interface between the loader and its source, a data set or a stream: batches of images that
// are drawn but not decoded. Private to dino/data.
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

/** The images of one iteration, not yet decoded. */
struct FeedBatch {
  std::int64_t iteration = 0;
  std::vector<Draw> draws;           ///< [B]
  std::vector<EncodedImage> images;  ///< [B], for streams only
  /// For streams: unreadable entries skipped before these images
  std::int64_t lost = 0;
};

/** An image that may take a position of a batch. */
struct Candidate {
  std::int64_t number = 0;     ///< an index into the data set or, for streams, into the batch
  std::int64_t index = 0;      ///< the image's entry in CropBatch::indices
  std::uint64_t identity = 0;  ///< identifies the image, so that a bad one is reported once
};

/** A source of batches. next() is for one consumer; all other functions are thread-safe. */
class ImageFeed {
 public:
  virtual ~ImageFeed() = default;
  virtual std::int64_t iterations_per_epoch() const = 0;
  /** The images of the next iteration. A stream may block; it returns nothing if `stop` is
   * requested meanwhile, and throws Error{Data} if its shards or commands fail. */
  virtual std::optional<FeedBatch> next(const std::stop_token& stop) = 0;
  /** The number of images in the source; 0 if unknown. */
  virtual std::int64_t size() const = 0;
  /** The number of candidates for each position. */
  virtual std::int64_t candidates(const FeedBatch& batch) const = 0;
  /** The `step`-th candidate for `position`: 0 is the image drawn for it, the others are its
   * replacements if that is bad. */
  virtual Candidate candidate(const FeedBatch& batch, int position, std::int64_t step) const = 0;
  /** Decodes a candidate into `out`. Throws Error{Io|Format} if the image is bad. */
  virtual void load(const FeedBatch& batch, const Candidate& candidate,
                    image::Image& out) const = 0;
  /** As above, without loss of range. */
  virtual void load(const FeedBatch& batch, const Candidate& candidate,
                    image::Planes& out) const = 0;
  virtual std::string name(const FeedBatch& batch, const Candidate& candidate) const = 0;
};

/** A feed of a data set that begins at `first_iteration`. Borrows the data set. */
std::unique_ptr<ImageFeed> feed_dataset(const Dataset& dataset, const SamplerOptions& options,
                                        std::int64_t first_iteration);

/** A feed of a stream, which a thread of its own reads ahead. Each epoch starts at the beginning of
 * its shards, so a feed that starts within an epoch reads and drops the images before. Needs
 * epoch_images. Borrows the stream and `bad`, which that thread calls. `log` gets a warning if no
 * image arrives for a minute. */
std::unique_ptr<ImageFeed> feed_stream(const ImageStream& stream, const SamplerOptions& options,
                                       std::int64_t first_iteration, const BadSink& bad,
                                       LogSink log);

}  // namespace dino::data
