#include "dino/data/sampler.h"

#include <algorithm>
#include <limits>

#include "dino/base/error.h"
#include "dino/base/rng.h"

namespace dino::data {

EpochSampler::EpochSampler(std::int64_t dataset_size, int batch_size, std::uint64_t seed, int rank,
                           int world_size)
    : dataset_size_(dataset_size),
      batch_size_(batch_size),
      seed_(seed),
      rank_(rank),
      world_size_(world_size) {
  DINO_ASSERT(batch_size > 0 && world_size > 0 && rank >= 0 && rank < world_size);
  if (dataset_size <= 0)
    fail(ErrorKind::Data, "[sample] the data set holds no images; check data.train");
  if (dataset_size == 1)
    fail(ErrorKind::Data,
         "[sample] the data set holds one image; DINO learns from differences between images: add "
         "some");
  const std::int64_t step = static_cast<std::int64_t>(batch_size) * world_size;
  if (dataset_size < step)
    fail(ErrorKind::Data,
         "[sample] one step takes {} images but the data set holds {}; lower train.batch_size to "
         "at most {} or "
         "add images",
         step, dataset_size, std::max<std::int64_t>(1, dataset_size / world_size));
  iterations_per_epoch_ = dataset_size / step;
}

std::vector<std::int64_t> EpochSampler::batch(std::int64_t iteration) {
  DINO_ASSERT(iteration >= 0);
  const std::int64_t epoch = iteration / iterations_per_epoch_;
  if (epoch != epoch_) {
    // No image has this number, so the shuffle shares its random stream with no crop.
    constexpr auto kShuffle = std::numeric_limits<std::uint64_t>::max();
    Rng rng(seed_, static_cast<std::uint64_t>(epoch), kShuffle);
    permutation_ = random_permutation(dataset_size_, rng);
    epoch_ = epoch;
  }
  std::vector<std::int64_t> indices(static_cast<std::size_t>(batch_size_));
  const std::int64_t first = iteration % iterations_per_epoch_ * batch_size_;
  for (std::int64_t i = 0; i < batch_size_; ++i)
    indices[static_cast<std::size_t>(i)] =
        permutation_[static_cast<std::size_t>((first + i) * world_size_ + rank_)];
  return indices;
}

}  // namespace dino::data
