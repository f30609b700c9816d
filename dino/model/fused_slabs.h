// Who computes what in the fused encoder: packed sequences are shared out to threads in slabs whose
// activations fit a core's cache.
#pragma once
#include <ATen/Parallel.h>
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "dino/model/encoder.h"

namespace dino::model::fused {

/** Some equally long sequences that follow each other in the packed tokens. */
struct Slab {
  std::int64_t sequences = 0, tokens = 0;
  std::int64_t first_row = 0, first_sequence = 0;  ///< in the packed tokens
  std::size_t group = 0;                           ///< of the layout
  std::int64_t rows() const { return sequences * tokens; }
  /** The same with other sequences. */
  Slab of(std::int64_t count) const { return {count, tokens, first_row, first_sequence, group}; }
};
using Share = std::vector<Slab>;  ///< what one thread computes

/** The layout in as many shares as there are threads, of about equal work; in one share (whose
 * inner loops and products use all threads) if there are too few sequences. */
std::vector<Share> share_out(const TokenLayout& layout, std::int64_t dim);

/** Runs body(i) for each i in [0, count), as many at once as there are threads. */
template <typename Body>
void for_each_index(std::size_t count, const Body& body) {
  const auto run = [&](std::int64_t first, std::int64_t last) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;  // modes belong to a thread
    for (std::int64_t i = first; i < last; ++i) body(static_cast<std::size_t>(i));
  };
  if (count == 1) return run(0, 1);
  at::parallel_for(0, static_cast<std::int64_t>(count), 1, run);
}

}  // namespace dino::model::fused
