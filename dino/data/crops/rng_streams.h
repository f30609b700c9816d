// Random streams that belong to a batch instead of an image. They are distinct from each other and
// from the streams of images.
#pragma once
#include <cstdint>
#include <limits>

#include "dino/base/rng.h"

namespace dino::data {

/** Numbers of the streams; 0 and 1 are used by the sampler's shuffle and the training step. */
enum class BatchStream : std::uint64_t { Masks = 2, Mix = 3 };

/** The stream of one iteration. `rank` is 0 for values that must be equal on all ranks. */
inline Rng batch_stream(std::uint64_t seed, std::int64_t iteration, BatchStream stream,
                        int rank = 0) {
  constexpr auto kNoImage = std::numeric_limits<std::uint64_t>::max();
  return Rng(seed, static_cast<std::uint64_t>(iteration), kNoImage,
             static_cast<std::uint64_t>(stream) | static_cast<std::uint64_t>(rank) << 8);
}

}  // namespace dino::data
