// Block masks over the patches of the global crops, as iBOT (Zhou et al. 2022, after BEiT), DINOv2
// and DINOv3 draw them for the student, for a whole batch at once.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "dino/base/rng.h"

namespace dino::data {

/** How masks are drawn. The comments give the values of DINOv2 and DINOv3. */
struct MaskOptions {
  double share = 0;  ///< share of a batch's global crops that are masked; 0 = no masks; 0.5 in both
  /// Masked share of a masked crop's patches; same in both
  std::array<double, 2> ratio = {0.1, 0.5};
  /// Every batch masks the same number of patches; false in v2, true in v3
  bool exact = false;
  bool circular_shift = false;  ///< roll each mask by a random offset; false in both
  bool operator==(const MaskOptions&) const = default;
};

/** Throws Error{Config} naming the key. */
void validate(const MaskOptions& options);

/** The masks of one batch of S = 2 * B global crops with N = grid_height * grid_width patches each.
 * The masked-patch loss gathers rows `indices` of the [S * N, D] patch features; its value is 1/S
 * times the sum of weights[j] * loss of patch j, where S counts unmasked crops too. */
struct BatchMasks {
  int grid_height = 0, grid_width = 0;
  std::vector<std::uint8_t> masked = {};  ///< [S, N] 1 = masked; patches are row-major
  /// [M] indices into [S * N] of the masked patches, ascending
  std::vector<std::int64_t> indices = {};
  std::vector<float> weights = {};  ///< [M] 1 / number of masked patches of the same crop
  std::int64_t upper_bound = 0;     ///< the largest M that these options can give
  bool operator==(const BatchMasks&) const = default;
};

/** Draws one mask [grid_height, grid_width] of at most `target` patches: a union of rectangles of
 * at least 4 patches and at most half the grid, with an aspect ratio log-uniform in [0.3, 1/0.3],
 * until `target` is reached or ten tries in a row add no patch. With `exact`, single patches are
 * added up to `target`. Thread-safe. */
std::vector<std::uint8_t> draw_mask(int grid_height, int grid_width, int target, bool exact,
                                    Rng& rng);

/** Draws masks for `crops` global crops, of which floor(crops * share) are masked. Their ratios are
 * stratified: the i-th is uniform in the i-th of equal intervals of `ratio` (with `exact`, the
 * interval's upper end). All are then shuffled, so an image may have zero, one or two masked
 * views. Equal streams give equal masks. Thread-safe. */
BatchMasks draw_masks(int crops, int grid_height, int grid_width, const MaskOptions& options,
                      Rng rng);

}  // namespace dino::data
