// Mixed resolutions, as in DINOv3's high-resolution phase: each batch draws its crop sizes from a
// list.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "dino/data/crops/multi_crop.h"

namespace dino::data {

/** The alternatives ("mixes"): entry i of each list belongs to mix i. Empty lists mean a single
 * size. */
struct MixOptions {
  std::vector<double> probability = {};  ///< probability of each mix; they sum to 1
  std::vector<int> global_size = {};     ///< px
  std::vector<int> local_size = {};      ///< px
  std::vector<int> gram_size = {};       ///< px; may be empty
  bool any() const { return !probability.empty(); }
  bool operator==(const MixOptions&) const = default;
};

/** The number of mixes, at least 1. */
inline int mix_count(const MixOptions& mixes) {
  return std::max(1, static_cast<int>(mixes.probability.size()));
}

/** Throws Error{Config} naming the key if lists differ in length, the probabilities do not sum to
 * 1, or a mix does not fit `crops`, whose sizes it replaces. */
void validate(const MixOptions& mixes, const MultiCropOptions& crops);

/** The mix of batch `iteration`; 0 if there are none. It depends only on the seed and the
 * iteration, so all ranks draw the same and resuming does not change it. Thread-safe. */
int draw_mix(const MixOptions& mixes, std::uint64_t seed, std::int64_t iteration);

/** Returns `crops` with the sizes of that mix, or unchanged if there are none. */
MultiCropOptions mixed_crops(MultiCropOptions crops, const MixOptions& mixes, int mix);

}  // namespace dino::data
