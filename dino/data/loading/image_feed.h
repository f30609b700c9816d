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

/** A source of batches. next() is for one consumer; all other functions are thread-safe. The
 * "choices" for a position of a batch are the image drawn for it (step 0) and its replacements if
 * that is bad. */
class ImageFeed {
 public:
  virtual ~ImageFeed() = default;
  virtual std::int64_t iterations_per_epoch() const = 0;
  /** The images of the next iteration. A stream may block; it returns nothing if `stop` is
   * requested meanwhile, and throws Error{Data} if its shards or commands fail. */
  virtual std::optional<FeedBatch> next(const std::stop_token& stop) = 0;
  /** The number of images in the source; 0 if unknown. */
  virtual std::int64_t size() const = 0;
  /** The number of choices for each position. */
  virtual std::int64_t choices(const FeedBatch& batch) const = 0;
  /** The `step`-th choice for `position`: an index into the data set or, for streams, into the
   * batch. */
  virtual std::int64_t choice(const FeedBatch& batch, int position, std::int64_t step) const = 0;
  /** Decodes a choice into `out`. Throws Error{Io|Format} if the image is bad. */
  virtual void load(const FeedBatch& batch, std::int64_t choice, image::Image& out) const = 0;
  /** As above, without loss of range. */
  virtual void load(const FeedBatch& batch, std::int64_t choice, image::Planes& out) const = 0;
  virtual std::string name(const FeedBatch& batch, std::int64_t choice) const = 0;
  /** A number that identifies the image, so that a bad one is reported once. */
  virtual std::uint64_t identity(const FeedBatch& batch, std::int64_t choice) const = 0;
  /** The image's entry in CropBatch::indices. */
  virtual std::int64_t index(const FeedBatch& batch, std::int64_t choice) const = 0;
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
