// Prepares crop batches in worker threads ahead of the training step, from a data set or a stream.
// The sequence of batches depends only on the seed, not on the number of workers or their timing. A
// bad image is replaced by a neighbor, counted by reason and listed.
#pragma once
#include <cstdint>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/base/log.h"
#include "dino/data/crops/crop_mix.h"
#include "dino/data/crops/crop_workspace.h"
#include "dino/data/crops/ibot_mask.h"
#include "dino/data/crops/multi_crop.h"
#include "dino/data/loading/bad_images.h"
#include "dino/data/loading/batch.h"
#include "dino/data/loading/sampler.h"
#include "dino/data/sources/dataset.h"
#include "dino/data/sources/image_stream.h"

namespace dino::data {

struct LoaderOptions {
  int batch_size = 64;
  int channels = 3;
  /// Make crops from floats, which keep 16-bit and float samples, instead of 8-bit pixels. Slower;
  /// required with channels other than 1 and 3
  bool full_range = false;
  SampleType type = SampleType::F32;  ///< sample type of the batches; U8 is not for full_range
  std::uint64_t seed = 0;
  int workers = 2;  ///< threads; 0 = make each batch in the caller's thread
  /// Of the workers, how many may begin an image while next() is not waiting, so while its caller
  /// computes; the others sleep until it waits. All by default. See plan_training() in base/cores.h
  int workers_beside = std::numeric_limits<int>::max();
  int batches_ahead = 3;        ///< batches kept ready
  double max_bad_share = 0.05;  ///< throw Error{Data} if more than this share of the images
                                ///< (and at least 16) is bad
  std::int64_t first_iteration = 0;
  int patch_size = 16;            ///< px, side of a mask's cell
  MaskOptions masks = {};         ///< masks for the student; none by default
  MixOptions mixes = {};          ///< crop sizes that vary between batches; none by default
  std::int64_t epoch_images = 0;  ///< images of an epoch, all ranks together; 0 = the data set's
                                  ///< size (streams have none and need it)
  int rank = 0, world_size = 1;   ///< see EpochSampler
  std::stop_token stop = {};      ///< ends the wait for a batch, with Stopped
};

/** Thrown by next() if a stop is requested while it waits for a batch. */
struct Stopped : std::exception {
  const char* what() const noexcept override { return "stopped while waiting for images"; }
};

struct LoaderStats {
  std::int64_t images = 0;       ///< source images decoded and cropped
  double wait_seconds = 0;       ///< time next() blocked
  double busy_seconds = 0;       ///< worker time spent decoding and cropping, summed
  StageSeconds stages;           ///< busy_seconds by stage
  std::vector<std::string> bad;  ///< name and reason of bad images, first 100
  std::int64_t bad_count = 0;
  std::map<BadReason, std::int64_t> bad_by_reason;
};

/** A sequence of batches for one consumer (thread-compatible). Borrows the data set or stream; the
 * destructor joins the threads. */
class Loader {
 public:
  Loader(const Dataset& dataset, const MultiCropOptions& crops, const LoaderOptions& options,
         LogSink log = {});
  /** Reads a stream. Each epoch starts at the beginning of its shards, so a first_iteration within
   * an epoch means reading, without decoding, the images before it. A bad image is replaced by the
   * next one of its batch. CropBatch::indices count the images of the epoch. */
  Loader(const ImageStream& stream, const MultiCropOptions& crops, const LoaderOptions& options,
         LogSink log = {});
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  std::int64_t iterations_per_epoch() const;
  /** Returns the batch of the next iteration, starting with first_iteration; blocks until it is
   * ready. Rethrows errors of the workers; throws Stopped. Pass batches to recycle() to reuse
   * their memory. */
  CropBatch next();
  void recycle(CropBatch&& batch);
  LoaderStats stats() const;
  /** The bad files found since the last call, each once. */
  std::vector<BadFile> take_bad();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dino::data
