// Crop sizes that change from batch to batch: the mixed resolutions of DINOv3's high-resolution
// phase.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "dino/data/crops/multi_crop.h"

namespace dino::data {

/** The sizes to choose from, one entry of each list per mix; empty lists = one size only. */
struct MixOptions {
  std::vector<double> probability = {};  ///< of each mix; they add up to 1
  std::vector<int> global_size = {};     ///< px
  std::vector<int> local_size = {};      ///< px
  std::vector<int> gram_size = {};       ///< px; may stay empty
  bool any() const { return !probability.empty(); }
  bool operator==(const MixOptions&) const = default;
};

/** Sizes to choose from, at least one. */
inline int mix_count(const MixOptions& mixes) {
  return std::max(1, static_cast<int>(mixes.probability.size()));
}

/** Throws Error{Config} naming the key if lists differ in length or the probabilities do not add up
 * to 1. `crops`: what the mixes are laid over. */
void validate(const MixOptions& mixes, const MultiCropOptions& crops);

/** Which mix batch `iteration` uses, 0 if there are none. Drawn from the seed and the iteration
 * alone: all ranks choose alike, and a resumed run as one that never stopped. Thread-safe. */
int draw_mix(const MixOptions& mixes, std::uint64_t seed, std::int64_t iteration);

/** `crops` with the sizes of that mix; unchanged if there are none. */
MultiCropOptions mixed_crops(MultiCropOptions crops, const MixOptions& mixes, int mix);

}  // namespace dino::data
