// Which images an iteration trains on. Stateless: iteration -> indices, so resuming needs only the
// iteration.
#pragma once
#include <cstdint>
#include <vector>

#include "dino/data/sources/dataset.h"

namespace dino::data {

struct SamplerOptions {
  int batch_size = 64;  ///< images per iteration and rank
  std::uint64_t seed = 0;
  std::int64_t epoch_images = 0;  ///< images of an epoch, all ranks together; 0 = the data set's
  int rank = 0, world_size = 1;
};

/** One image of a batch. */
struct Draw {
  std::int64_t index = 0;  ///< in the data set
  std::uint64_t pass = 0;  ///< how often all of its part was drawn before: names its random numbers
  bool operator==(const Draw&) const = default;
};

/** Each epoch is a fresh permutation drawn from (seed, epoch); the last incomplete batch is
 * dropped. Split over ranks, rank r takes every world_size-th element (offset r) of that
 * permutation, so all ranks together draw the images that one rank alone would.
 *  With weights (`parts`) or epoch_images an epoch holds a fixed number of images of each part, in
 * random order; each part goes on from one epoch to the next where it stopped, and no image of it
 * is drawn again before all were.
 *  Holds 4 bytes per image (8 beyond 2^32 of them), nothing with weights or epoch_images.
 * Thread-compatible. */
class EpochSampler {
 public:
  /** `parts` as Dataset::parts(). Throws Error{Data} if the data set is empty or a single image, if
   * an epoch is smaller than one batch of all ranks, and on a part too light to be drawn once in an
   * epoch. */
  EpochSampler(std::int64_t dataset_size, const SamplerOptions& options,
               std::vector<DatasetPart> parts = {});

  std::int64_t iterations_per_epoch() const { return iterations_per_epoch_; }
  /** The [batch_size] images of `iteration` (counted from the start of training). */
  std::vector<Draw> batch(std::int64_t iteration);

 private:
  struct Quota {
    std::int64_t first_index, count;  // of the part
    std::int64_t begin, end;          // of its places in an epoch
  };
  void set_quotas(std::vector<DatasetPart> parts);
  void shuffle(std::int64_t epoch);
  Draw draw(std::int64_t epoch, std::int64_t place) const;

  std::int64_t dataset_size_;
  SamplerOptions options_;
  std::int64_t iterations_per_epoch_;
  std::vector<Quota> quotas_;  // empty: plain epochs
  std::int64_t epoch_ = -1;    // epoch of the permutation
  std::vector<std::uint32_t> permutation_;
  std::vector<std::int64_t> long_permutation_;
};

/** The element `i` of the permutation of {0, ..., n-1} that these numbers name, computed without
 * the others (a Feistel network over Philox, walking the cycle until it is below n). */
std::uint64_t permuted(std::uint64_t i, std::uint64_t n, std::uint64_t seed, std::uint64_t pass,
                       std::uint32_t part);

}  // namespace dino::data
