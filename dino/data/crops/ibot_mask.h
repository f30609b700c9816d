// Which patches of the global crops the student does not see: the block masks of iBOT (Zhou et al.
// 2022, after BEiT) as DINOv2 and DINOv3 draw them, for a whole batch at once.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "dino/base/rng.h"

namespace dino::data {

/** How masks are drawn; the comments give DINOv2's and DINOv3's values. */
struct MaskOptions {
  double share = 0;  ///< of a batch's global crops that get a mask, exactly; 0 = no masks; both 0.5
  std::array<double, 2> ratio = {0.1, 0.5};  ///< masked share of such a crop's patches; both
  bool exact = false;           ///< the count is the same in every batch; false in v2, true in v3
  bool circular_shift = false;  ///< roll each mask by a random offset; both false
  bool operator==(const MaskOptions&) const = default;
};

/** Throws Error{Config} naming the key. */
void validate(const MaskOptions& options);

/** The masks of one batch of S = 2 * B global crops, N = grid_height * grid_width patches each.
 * What the masked-patch loss reads: gather rows `indices` of the [S * N, D] patch features; its
 * value is 1/S times the sum of weights[j] * loss of patch j, S counting unmasked crops too. */
struct BatchMasks {
  int grid_height = 0, grid_width = 0;
  std::vector<std::uint8_t> masked = {};   ///< [S, N] 1 = masked; crop-major, patches row by row
  std::vector<std::int64_t> indices = {};  ///< [M] where masked is 1, ascending
  std::vector<float> weights = {};         ///< [M] 1 / number of masked patches of the same crop
  std::int64_t upper_bound = 0;            ///< M cannot be larger, whatever was drawn
  bool operator==(const BatchMasks&) const = default;
};

/** One mask [grid_height, grid_width] of about `target` patches: rectangles of at least 4 patches
 * and at most half the grid, aspect ratio log-uniform in [0.3, 1/0.3], until `target` is reached or
 * no try of ten adds a patch. It never has more than `target`; with `exact`, single patches fill
 * what is missing. Thread-safe. */
std::vector<std::uint8_t> draw_mask(int grid_height, int grid_width, int target, bool exact,
                                    Rng& rng);

/** Masks for `crops` global crops, of which floor(crops * share) get one. Their ratios are
 * stratified: the i-th is drawn from the i-th of equal pieces of `ratio` (with `exact` it is the
 * piece's upper end). Then all are shuffled, so that an image may have no, one or two masked views.
 * Equal streams give equal masks. Thread-safe. */
BatchMasks draw_masks(int crops, int grid_height, int grid_width, const MaskOptions& options,
                      Rng rng);

}  // namespace dino::data
