// Which images an iteration trains on. Stateless: iteration -> indices, so resuming needs only the
// iteration.
#pragma once
#include <cstdint>
#include <vector>

namespace dino::data {

/** Each epoch is a fresh permutation drawn from (seed, epoch); the last incomplete batch is
 * dropped. Split over ranks, rank r takes every world_size-th element (offset r) of that
 * permutation. Thread-compatible. */
class EpochSampler {
 public:
  /** Throws Error{Data} if the data set is empty, a single image or smaller than one batch of all
   * ranks. */
  EpochSampler(std::int64_t dataset_size, int batch_size, std::uint64_t seed, int rank = 0,
               int world_size = 1);

  std::int64_t iterations_per_epoch() const { return iterations_per_epoch_; }
  /** The [batch_size] data-set indices of `iteration` (counted from the start of training). */
  std::vector<std::int64_t> batch(std::int64_t iteration);

 private:
  std::int64_t dataset_size_;
  int batch_size_;
  std::uint64_t seed_;
  int rank_, world_size_;
  std::int64_t iterations_per_epoch_;
  std::int64_t epoch_ = -1;  // epoch of permutation_
  std::vector<std::int64_t> permutation_;
};

}  // namespace dino::data
