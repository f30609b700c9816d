#include "dino/optim/param_groups.h"

#include <gtest/gtest.h>

namespace dino::optim {
namespace {

std::vector<model::ParamSlice> slices_of(
    const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& tensors) {
  std::vector<model::ParamSlice> slices;
  for (const auto& [name, shape] : tensors) slices.push_back({.name = name, .shape = shape});
  return slices;
}

TEST(ParamGroups, WithoutRulesAllTensorsAreAlike) {
  const auto groups = param_groups(slices_of({{"a", {2, 2}}, {"b", {2}}}), {});
  EXPECT_EQ(groups, (std::vector<ParamGroup>{{}, {}}));
}

TEST(ParamGroups, BiasesAndVectorsAreNotDecayed) {
  const auto groups = param_groups(
      slices_of(
          {{"fc.weight", {4, 4}}, {"fc.bias", {4}}, {"norm.weight", {4}}, {"odd.bias", {2, 2}}}),
      no_decay_of_vectors());
  std::vector<double> decay;
  for (const ParamGroup& group : groups) decay.push_back(group.decay_scale);
  EXPECT_EQ(decay, (std::vector<double>{1, 0, 0, 0}));
}

TEST(ParamGroups, FactorsMultiplyTheLongestFreezeAndTheLastClipGroupCount) {
  const std::vector<ParamRule> rules = {
      {.names = "head.*", .lr_scale = 0.5, .frozen_until = 10, .clip_group = "head"},
      {.names = "*.weight", .lr_scale = 0.5, .decay_scale = 0.25, .frozen_until = 3},
      {.names = "*", .decay_scale = 2},
      {.names = "head.last.*", .clip_group = "last"}};
  const auto groups = param_groups(
      slices_of({{"head.last.weight", {1}}, {"head.fc.bias", {1}}, {"x.weight", {1}}}), rules);
  EXPECT_EQ(groups[0], (ParamGroup{0.25, 0.5, 10, "last"}));
  EXPECT_EQ(groups[1], (ParamGroup{0.5, 2, 10, "head"}));
  EXPECT_EQ(groups[2], (ParamGroup{0.5, 0.5, 3, ""}));
}

// DINOv2's get_vit_lr_decay_rate: rate^(depth + 1 - layer), layer 0 for what stands before the
// blocks, i + 1 for block i, depth + 1 for everything else.
TEST(ParamGroups, LayerDecayFallsWithDepth) {
  const auto slices = slices_of({{"backbone.cls_token", {1}},
                                 {"backbone.pos_embed", {1}},
                                 {"backbone.register_tokens", {1}},
                                 {"backbone.patch_embed.proj.weight", {1}},
                                 {"backbone.blocks.0.mlp.fc1.weight", {1}},
                                 {"backbone.blocks.1.mlp.fc1.weight", {1}},
                                 {"backbone.blocks.11.mlp.fc1.weight", {1}},
                                 {"backbone.norm.weight", {1}},
                                 {"dino_head.mlp.0.weight", {1}}});
  const auto groups = param_groups(slices, layer_decay(0.9, 12));
  const std::vector<int> layers_above = {13, 13, 13, 13, 12, 11, 1, 0, 0};
  for (std::size_t i = 0; i < slices.size(); ++i)
    EXPECT_NEAR(groups[i].lr_scale, std::pow(0.9, layers_above[i]), 1e-12) << slices[i].name;
  EXPECT_TRUE(layer_decay(1, 12).empty());
}

}  // namespace
}  // namespace dino::optim
