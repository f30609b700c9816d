// Chooses the images of each iteration. The choice is a function of the iteration, so there is no
// state to save.
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
  std::int64_t index = 0;  ///< index in the data set
  /// Number of complete passes over its part before; part of its random key
  std::uint64_t pass = 0;
  bool operator==(const Draw&) const = default;
};

/** Each epoch is a new permutation drawn from (seed, epoch); the last incomplete batch is dropped.
 * Rank r takes every world_size-th element of the permutation from element r on, so all ranks
 * together draw the images that a single rank would. With weights (`parts`) or epoch_images, an
 * epoch has a fixed number of images of each part, in random order; each part continues where the
 * previous epoch stopped, and draws no image again before all others. Memory: 4 bytes per image (8
 * beyond 2^32 images), none with weights or epoch_images. Thread-compatible. */
class EpochSampler {
 public:
  /** `parts` is Dataset::parts(). Throws Error{Data} if the data set has fewer than two images, if
   * an epoch is smaller than one batch of all ranks, or if a part's weight is too small for one
   * image per epoch. */
  EpochSampler(std::int64_t dataset_size, const SamplerOptions& options,
               std::vector<DatasetPart> parts = {});

  std::int64_t iterations_per_epoch() const { return iterations_per_epoch_; }
  /** The [batch_size] images of `iteration` (counted from the start of training). */
  std::vector<Draw> batch(std::int64_t iteration);

 private:
  struct Quota {
    std::int64_t first_index, count;  // images of the part
    std::int64_t begin, end;          // its range of places in an epoch
  };
  void set_quotas(std::vector<DatasetPart> parts);
  void shuffle(std::int64_t epoch);
  Draw draw(std::int64_t epoch, std::int64_t place) const;

  std::int64_t dataset_size_;
  SamplerOptions options_;
  std::int64_t iterations_per_epoch_;
  std::vector<Quota> quotas_;  // empty without weights and epoch_images
  std::int64_t epoch_ = -1;    // epoch of the permutation
  std::vector<std::uint32_t> permutation_;
  std::vector<std::int64_t> long_permutation_;
};

/** Element `i` of the permutation of {0, ..., n-1} that the other arguments determine, computed in
 * constant memory (a Feistel network over Philox with cycle walking). */
std::uint64_t permuted(std::uint64_t i, std::uint64_t n, std::uint64_t seed, std::uint64_t pass,
                       std::uint32_t part);

}  // namespace dino::data
