// Which parameters learn how: a table of rules by name, laid over the tensors of a network once.
// The papers' rules are lines of it: no decay of biases and norms, a last layer that is frozen at
// the start (DINO), rates that fall with the depth of a block (DINOv2, BEiT), clipping of each
// sub-network by itself (DINOv2).
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dino/model/param_arena.h"

namespace dino::optim {

/** As ParamGroup::frozen_until: the tensor never changes. */
inline constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::max();

/** What holds for one tensor. */
struct ParamGroup {
  double lr_scale = 1;            ///< factor of the learning rate
  double decay_scale = 1;         ///< factor of the weight decay
  std::int64_t frozen_until = 0;  ///< first iteration that changes it, or kAlways
  /** Tensors of one clip group are clipped by the norm of all of them together; a tensor whose
   * group is empty by its own. */
  std::string clip_group = {};
  /// Until then only its moments change, as with a rate of 0 (DINOv2's frozen last layer)
  std::int64_t still_until = 0;
  /// Iterations after frozen_until in which its rate rises linearly
  std::int64_t ramp = 0;
  bool operator==(const ParamGroup&) const = default;
};

/** One line of the table: which tensors it means, and what it says of them. */
struct ParamRule {
  std::string names =
      "*";  ///< shell pattern of the parameter's name: "*.bias", "backbone.blocks.3.*"
  std::optional<std::size_t> dims = {};  ///< only tensors of so many dimensions
  double lr_scale = 1, decay_scale = 1;
  std::int64_t frozen_until = 0;
  std::string clip_group = {};
  std::int64_t still_until = 0, ramp = 0;
};

/** One group for each slice. All rules that mean a tensor hold: factors multiply, the longest
 * freeze counts, the last clip group counts. */
std::vector<ParamGroup> param_groups(std::span<const model::ParamSlice> slices,
                                     std::span<const ParamRule> rules);

/** Biases, and tensors of one dimension (norms, gains), are not decayed: DINO's get_params_groups.
 */
std::vector<ParamRule> no_decay_of_vectors();

/** Rates that fall by `rate` in (0, 1] with each layer below the head of a backbone of `depth`
 * blocks, whose names begin with `prefix`: block i has rate^(depth - i), the patch embedding and
 * all tokens rate^(depth + 1) (DINOv2's get_vit_lr_decay_rate). No rules for rate 1. */
std::vector<ParamRule> layer_decay(double rate, std::int64_t depth,
                                   const std::string& prefix = "backbone.");

}  // namespace dino::optim
