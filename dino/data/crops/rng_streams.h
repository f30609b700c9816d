// The random streams that belong to a batch, not to an image: apart from each other and from all
// streams of images.
#pragma once
#include <cstdint>
#include <limits>

#include "dino/base/rng.h"

namespace dino::data {

/** Numbers 0 and 1 belong to the sampler's shuffle and to the training step. */
enum class BatchStream : std::uint64_t { Masks = 2, Mix = 3 };

/** `rank`: 0 for what all ranks draw alike. */
inline Rng batch_stream(std::uint64_t seed, std::int64_t iteration, BatchStream stream,
                        int rank = 0) {
  constexpr auto kNoImage = std::numeric_limits<std::uint64_t>::max();
  return Rng(seed, static_cast<std::uint64_t>(iteration), kNoImage,
             static_cast<std::uint64_t>(stream) | static_cast<std::uint64_t>(rank) << 8);
}

}  // namespace dino::data
