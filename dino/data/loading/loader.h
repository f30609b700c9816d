// Worker threads that keep crop batches ready ahead of the training step, from a data set or a
// stream. The sequence of batches depends on the seed alone, never on the number of workers or
// their timing; a bad image is replaced by its neighbor, counted by reason and listed.
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
#include "dino/data/loading/batch.h"
#include "dino/data/loading/sampler.h"
#include "dino/data/sources/bad_image.h"
#include "dino/data/sources/dataset.h"
#include "dino/data/sources/image_stream.h"

namespace dino::data {

struct LoaderOptions {
  int batch_size = 64;
  int channels = 3;
  /// Crops are made of floats, from 16-bit and float samples as they are, in place of 8-bit pixels;
  /// needed with channels other than 1 and 3. Slower
  bool full_range = false;
  SampleType type = SampleType::F32;  ///< of the batches; U8 not with full_range
  std::uint64_t seed = 0;
  int workers = 2;  ///< threads; 0 = make each batch in the caller's thread
  /// Of the workers, how many may begin an image while next() is not waiting, so while its caller
  /// computes; the others sleep until it waits. All by default. See plan_training() in base/cores.h
  int workers_beside = std::numeric_limits<int>::max();
  int batches_ahead = 3;        ///< batches kept ready
  double max_bad_share = 0.05;  ///< stop with Error{Data} once more than this share of tried images
                                ///< (and at least 16) is bad
  std::int64_t first_iteration = 0;
  int patch_size = 16;            ///< px of a mask's cell
  MaskOptions masks = {};         ///< which patches the student does not see; none by default
  MixOptions mixes = {};          ///< sizes that change from batch to batch; none by default
  std::int64_t epoch_images = 0;  ///< images of an epoch, all ranks together; 0 = the data set's
                                  ///< size (streams have none and need it)
  int rank = 0, world_size = 1;   ///< see EpochSampler
  std::stop_token stop = {};      ///< ends the wait for a batch, with Stopped
};

/** What next() throws when it is asked to stop while the batch is not there. */
struct Stopped : std::exception {
  const char* what() const noexcept override { return "stopped while waiting for images"; }
};

/** One that was skipped. */
struct BadFile {
  std::string name;
  BadReason reason = BadReason::Corrupt;
  std::string message;
};

struct LoaderStats {
  std::int64_t images = 0;       ///< source images decoded and cropped
  double wait_seconds = 0;       ///< time next() blocked
  double busy_seconds = 0;       ///< worker time spent decoding and cropping, summed
  StageSeconds stages;           ///< what of it was spent where
  std::vector<std::string> bad;  ///< name and reason of bad images, first 100
  std::int64_t bad_count = 0;
  std::map<BadReason, std::int64_t> bad_by_reason;
};

/** Thread-compatible: one consumer. Joins its threads when destroyed. Borrows the data set or
 * stream. */
class Loader {
 public:
  Loader(const Dataset& dataset, const MultiCropOptions& crops, const LoaderOptions& options,
         LogSink log = {});
  /** From a stream: an epoch begins its shards anew, so first_iteration within one means reading,
   * not decoding, the epoch's images before it. A bad image is replaced by the next one of its
   * batch. CropBatch::indices count the images of the epoch. */
  Loader(const ImageStream& stream, const MultiCropOptions& crops, const LoaderOptions& options,
         LogSink log = {});
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  std::int64_t iterations_per_epoch() const;
  /** The batch of the next iteration, counted from first_iteration; the caller may hand the buffers
   * back with recycle(). Rethrows a worker's error; throws Stopped. */
  CropBatch next();
  void recycle(CropBatch&& batch);
  LoaderStats stats() const;
  /** The bad files met since the last call, each once. */
  std::vector<BadFile> take_bad();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dino::data
