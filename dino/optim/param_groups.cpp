#include "dino/optim/param_groups.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cmath>

namespace dino::optim {
namespace {

bool means(const ParamRule& rule, const model::ParamSlice& slice) {
  if (rule.dims && *rule.dims != slice.shape.size()) return false;
  return fnmatch(rule.names.c_str(), slice.name.c_str(), 0) == 0;
}

}  // namespace

std::vector<ParamGroup> param_groups(std::span<const model::ParamSlice> slices,
                                     std::span<const ParamRule> rules) {
  std::vector<ParamGroup> groups(slices.size());
  for (std::size_t i = 0; i < slices.size(); ++i) {
    ParamGroup& group = groups[i];
    for (const ParamRule& rule : rules) {
      if (!means(rule, slices[i])) continue;
      group.lr_scale *= rule.lr_scale;
      group.decay_scale *= rule.decay_scale;
      group.frozen_until = std::max(group.frozen_until, rule.frozen_until);
      group.still_until = std::max(group.still_until, rule.still_until);
      group.ramp = std::max(group.ramp, rule.ramp);
      if (!rule.clip_group.empty()) group.clip_group = rule.clip_group;
    }
  }
  return groups;
}

std::vector<ParamRule> no_decay_of_vectors() {
  return {{.names = "*.bias", .decay_scale = 0}, {.dims = 1, .decay_scale = 0}};
}

std::vector<ParamRule> layer_decay(double rate, std::int64_t depth, const std::string& prefix) {
  std::vector<ParamRule> rules;
  if (rate == 1) return rules;
  const auto scale = [rate](std::int64_t layers_above) {
    return std::pow(rate, static_cast<double>(layers_above));
  };
  for (const char* first :
       {"patch_embed.*", "cls_token", "pos_embed", "mask_token", "register_tokens"})
    rules.push_back({.names = prefix + first, .lr_scale = scale(depth + 1)});
  for (std::int64_t block = 0; block < depth; ++block)
    rules.push_back(
        {.names = fmt::format("{}blocks.{}.*", prefix, block), .lr_scale = scale(depth - block)});
  return rules;
}

}  // namespace dino::optim
