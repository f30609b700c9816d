#include "dino/data/loading/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/rng.h"

namespace dino::data {
namespace {

constexpr std::uint32_t kPlaces = ~0u;  // the "part" whose permutation orders an epoch's places

}  // namespace

EpochSampler::EpochSampler(std::int64_t dataset_size, const SamplerOptions& options,
                           std::vector<DatasetPart> parts)
    : dataset_size_(dataset_size), options_(options) {
  DINO_ASSERT(options.batch_size > 0 && options.world_size > 0 && options.rank >= 0 &&
              options.rank < options.world_size && options.epoch_images >= 0);
  if (dataset_size <= 0)
    fail(ErrorKind::Data, "[sample] the data set holds no images; check data.train");
  if (dataset_size == 1)
    fail(ErrorKind::Data,
         "[sample] the data set holds one image; DINO learns from differences between images: add "
         "some");
  const std::int64_t step = static_cast<std::int64_t>(options.batch_size) * options.world_size;
  const std::int64_t images = options.epoch_images > 0 ? options.epoch_images : dataset_size;
  if (images < step)
    fail(ErrorKind::Data,
         "[sample] one step takes {} images but {} holds {}; lower train.batch_size to "
         "at most {} or "
         "add images",
         step, options.epoch_images > 0 ? "an epoch (data.epoch_images)" : "the data set", images,
         std::max<std::int64_t>(1, images / options.world_size));
  iterations_per_epoch_ = images / step;
  if (!parts.empty() || options.epoch_images > 0) set_quotas(std::move(parts));
}

/** Divides the places of an epoch by weight, with largest-remainder rounding. */
void EpochSampler::set_quotas(std::vector<DatasetPart> parts) {
  if (parts.empty()) parts = {{dataset_size_, 1}};
  const std::int64_t places = iterations_per_epoch_ * options_.batch_size * options_.world_size;
  double total = 0;
  for (const DatasetPart& part : parts) total += part.weight;
  std::vector<std::int64_t> counts;
  std::vector<std::pair<double, std::size_t>> lost;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const double exact = static_cast<double>(places) * (parts[i].weight / total);
    counts.push_back(static_cast<std::int64_t>(exact));
    lost.emplace_back(static_cast<double>(counts[i]) - exact, i);
  }
  std::sort(lost.begin(), lost.end());
  const std::int64_t left = places - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  for (std::int64_t i = 0; i < left; ++i)
    ++counts[lost[static_cast<std::size_t>(i) % lost.size()].second];
  std::int64_t first = 0, begin = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (counts[i] < 1)
      fail(ErrorKind::Data,
           "[sample] source {} with weight {} would give none of the {} images of an epoch; raise "
           "its weight or data.epoch_images",
           i + 1, parts[i].weight, places);
    quotas_.push_back({first, parts[i].count, begin, begin + counts[i]});
    first += parts[i].count;
    begin += counts[i];
  }
  DINO_ASSERT(first == dataset_size_ && begin == places);
}

void EpochSampler::shuffle(std::int64_t epoch) {
  // No image has this index, so the shuffle's random stream differs from those of all crops.
  constexpr auto kShuffle = std::numeric_limits<std::uint64_t>::max();
  Rng rng(options_.seed, static_cast<std::uint64_t>(epoch), kShuffle);
  const auto fill = [&](auto& permutation) {
    permutation.resize(static_cast<std::size_t>(dataset_size_));
    std::iota(permutation.begin(), permutation.end(), 0);
    rng.shuffle(std::span(permutation));
  };
  if (dataset_size_ <= std::numeric_limits<std::uint32_t>::max())
    fill(permutation_);
  else
    fill(long_permutation_);
  epoch_ = epoch;
}

Draw EpochSampler::draw(std::int64_t epoch, std::int64_t place) const {
  const std::int64_t places = quotas_.back().end;
  const auto shuffled = static_cast<std::int64_t>(
      permuted(static_cast<std::uint64_t>(place), static_cast<std::uint64_t>(places), options_.seed,
               static_cast<std::uint64_t>(epoch), kPlaces));
  const auto quota =
      std::upper_bound(quotas_.begin(), quotas_.end(), shuffled,
                       [](std::int64_t value, const Quota& q) { return value < q.end; });
  const std::int64_t drawn = epoch * (quota->end - quota->begin) + shuffled - quota->begin;
  const auto pass = static_cast<std::uint64_t>(drawn / quota->count);
  const auto inner = permuted(static_cast<std::uint64_t>(drawn % quota->count),
                              static_cast<std::uint64_t>(quota->count), options_.seed, pass,
                              static_cast<std::uint32_t>(quota - quotas_.begin()));
  return {quota->first_index + static_cast<std::int64_t>(inner), pass};
}

std::vector<Draw> EpochSampler::batch(std::int64_t iteration) {
  DINO_ASSERT(iteration >= 0);
  const std::int64_t epoch = iteration / iterations_per_epoch_;
  if (quotas_.empty() && epoch != epoch_) shuffle(epoch);
  std::vector<Draw> draws;
  const std::int64_t first = iteration % iterations_per_epoch_ * options_.batch_size;
  for (std::int64_t i = 0; i < options_.batch_size; ++i) {
    const std::int64_t place = (first + i) * options_.world_size + options_.rank;
    if (!quotas_.empty()) {
      draws.push_back(draw(epoch, place));
      continue;
    }
    const auto at = static_cast<std::size_t>(place);
    draws.push_back({permutation_.empty() ? long_permutation_[at] : permutation_[at],
                     static_cast<std::uint64_t>(epoch)});
  }
  return draws;
}

std::uint64_t permuted(std::uint64_t i, std::uint64_t n, std::uint64_t seed, std::uint64_t pass,
                       std::uint32_t part) {
  DINO_ASSERT(i < n);
  constexpr std::uint32_t kRounds = 6;
  const int half = std::max(1, (static_cast<int>(std::bit_width(n - 1)) + 1) / 2);  // bits
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  const std::array<std::uint32_t, 2> key = {static_cast<std::uint32_t>(seed),
                                            static_cast<std::uint32_t>(seed >> 32)};
  const auto low = static_cast<std::uint32_t>(pass);
  do {
    std::uint64_t left = i >> half, right = i & mask;
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      const auto mixed = philox4x32({static_cast<std::uint32_t>(right), round, part, low}, key);
      left = std::exchange(right, (left ^ mixed[0]) & mask);
    }
    i = left << half | right;
  } while (i >= n);
  return i;
}

}  // namespace dino::data
