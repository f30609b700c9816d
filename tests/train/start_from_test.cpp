// A run that begins with another network: what is taken, what is resampled, what is refused, and
// what learns when.
#include "dino/train/start_from.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "dino/base/error.h"
#include "dino/model/backbone_file.h"
#include "dino/run/checkpoint_store.h"
#include "dino/run/run_dir.h"
#include "tests/golden/tiny_training.h"
#include "tests/temp_dir.h"

namespace dino::train {
namespace {

recipe::Recipe recipe_from(const std::filesystem::path& from) {
  recipe::Recipe r = golden::tiny_recipe(true);
  r.start.from = from.string();
  return r;
}

SslModel model_of(const recipe::Recipe& r) {
  return {r, model::Precision::Fp32, golden::kIterationsPerEpoch};
}

/** Another network than a new run's, in a file. */
std::filesystem::path saved(const test::TempDir& temp, recipe::Recipe r) {
  r.seed = 77;
  SslModel other = model_of(r);
  golden::fill_parameters(*other.teacher().backbone);  // attention far from uniform
  arch::Network described{recipe::architecture_of(r), {}};
  described.preprocess.image_size = r.crops.global_size;
  described.preprocess.mean.assign(static_cast<std::size_t>(r.data.channels), 0.5);
  described.preprocess.std.assign(static_cast<std::size_t>(r.data.channels), 0.25);
  model::save_backbone(temp / "weights.safetensors", *other.teacher().backbone, described);
  return temp / "weights.safetensors";
}

std::string start_refusal(const recipe::Recipe& r) {
  SslModel model = model_of(r);
  try {
    start_from(r, model::Precision::Fp32, model, {});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

torch::Tensor parameter(SslModel& model, const std::string& name) {
  return model.student().module->named_parameters()[name].detach().clone();
}

TEST(StartFrom, WeightsFillBothBackbonesAndNoHead) {
  const test::TempDir temp;
  const recipe::Recipe r = recipe_from(saved(temp, golden::tiny_recipe(true)));
  SslModel model = model_of(r);
  const torch::Tensor head = parameter(model, "dino_head.mlp.0.weight");
  start_from(r, model::Precision::Fp32, model, {});
  const auto loaded = model::load_backbone(r.start.from);
  for (const auto& item : loaded.backbone->named_parameters())
    for (Branch* branch : {&model.student(), &model.teacher()})
      EXPECT_TRUE(torch::equal(branch->backbone->named_parameters()[item.key()], item.value()))
          << item.key();
  EXPECT_TRUE(torch::equal(parameter(model, "dino_head.mlp.0.weight"), head));
}

TEST(StartFrom, ARunGivesItsTeacherWithTheHeadsThatFit) {
  const test::TempDir temp;
  recipe::Recipe before = golden::tiny_recipe(true);
  before.seed = 9;
  SslModel run = model_of(before);
  for (int step = 0; step < 3; ++step) run.step(golden::batch_at(step), step);
  std::filesystem::create_directories(temp / "run" / "checkpoints");
  run::CheckpointInfo info;
  info.iteration = 3;
  info.recipe = recipe::to_toml(before);
  run::CheckpointStore(run::RunLayout{temp / "run"}.checkpoints(), 1)
      .save(info, model::to_records(run.state()));

  recipe::Recipe r = recipe_from(temp / "run");
  SslModel same = model_of(r);
  start_from(r, model::Precision::Fp32, same, {});
  for (const auto& item : run.teacher().module->named_parameters())
    EXPECT_TRUE(torch::equal(same.student().module->named_parameters()[item.key()], item.value()))
        << item.key();
  r.head.prototypes = 32;  // the MLP fits, the last layer does not
  SslModel other = model_of(r);
  const torch::Tensor last = parameter(other, "dino_head.last_layer.weight_v");
  start_from(r, model::Precision::Fp32, other, {});
  EXPECT_TRUE(torch::equal(parameter(other, "dino_head.last_layer.weight_v"), last));
  EXPECT_TRUE(torch::equal(parameter(other, "dino_head.mlp.0.weight"),
                           run.teacher().module->named_parameters()["dino_head.mlp.0.weight"]));
}

TEST(StartFrom, PositionsAreResampledAndAStemServesOtherChannels) {
  const test::TempDir temp;
  recipe::Recipe r = recipe_from(saved(temp, golden::tiny_recipe(true)));
  r.crops.global_size = 24;
  r.data.channels = 1;
  r.crops.mean = {0.5}, r.crops.std = {0.25};
  SslModel gray = model_of(r);
  start_from(r, model::Precision::Fp32, gray, {});
  const auto loaded = model::load_backbone(r.start.from);
  const auto theirs = loaded.backbone->named_parameters();
  EXPECT_EQ(parameter(gray, "backbone.pos_embed").size(1), 37);
  // An image of three equal channels gives what its one channel gives.
  const torch::Tensor filters = parameter(gray, "backbone.patch_embed.proj.weight");
  EXPECT_TRUE(
      torch::allclose(filters.sum(1), theirs["patch_embed.proj.weight"].sum(1), 1e-5, 1e-6));
}

TEST(StartFrom, RefusesAnotherNetworkInWords) {
  const test::TempDir temp;
  const auto file = saved(temp, golden::tiny_recipe(true));
  recipe::Recipe r = recipe_from(file);
  r.backbone.dim = 48, r.backbone.heads = 3;
  EXPECT_NE(start_refusal(r).find("backbone.arch"), std::string::npos) << start_refusal(r);
  r = recipe_from(file);
  r.backbone.depth = 3;
  EXPECT_NE(start_refusal(r).find("blocks.2"), std::string::npos) << start_refusal(r);
  r = recipe_from(file);
  r.backbone.heads = 4;  // the same shapes, another network
  EXPECT_NE(start_refusal(r).find("other features"), std::string::npos) << start_refusal(r);
  EXPECT_NE(start_refusal(recipe_from(temp / "missing.safetensors")), "");
  std::filesystem::create_directories(temp / "run" / "checkpoints");
  EXPECT_NE(start_refusal(recipe_from(temp / "run")).find("without a checkpoint"),
            std::string::npos);
}

TEST(StartFrom, TheBackboneWaitsForItsHeadsThenItsRateRises) {
  recipe::Recipe r = golden::tiny_recipe(true);
  r.optim.warmup_epochs = 0;
  r.optim.freeze_last_layer_epochs = 0;
  r.optim.clip_grad = 0;
  r.start.frozen_steps = 2;
  r.start.ramp_steps = 3;
  r.optim.betas = {0, 0.999};
  SslModel model = model_of(r);
  torch::Tensor before = parameter(model, "backbone.blocks.0.mlp.fc1.bias");
  torch::Tensor head = parameter(model, "dino_head.mlp.0.bias");
  std::vector<double> moved;
  for (int step = 0; step < 6; ++step) {
    model.step(golden::batch_at(step), step);
    const torch::Tensor now = parameter(model, "backbone.blocks.0.mlp.fc1.bias");
    moved.push_back((now - before).abs().max().item<double>() / model.schedule(step).at("lr"));
    before = now;
    const torch::Tensor head_now = parameter(model, "dino_head.mlp.0.bias");
    EXPECT_FALSE(torch::equal(head_now, head)) << "heads learn from the first step";
    head = head_now;
  }
  EXPECT_EQ(moved[0], 0);
  EXPECT_EQ(moved[1], 0);
  EXPECT_NEAR(moved[2], 0.25, 0.01);  // Adam's first step is as long as the rate
  EXPECT_GT(moved[5], moved[2]);
}

TEST(StartFrom, OnlyTheLastBlocksLearn) {
  recipe::Recipe r = golden::tiny_recipe(true);
  r.start.trained_blocks = 1;
  SslModel model = model_of(r);
  std::map<std::string, torch::Tensor> before;
  for (const auto& item : model.student().module->named_parameters())
    before[item.key()] = item.value().detach().clone();
  for (int step = 0; step < 3; ++step) model.step(golden::batch_at(step), step);
  for (const auto& item : model.student().module->named_parameters()) {
    const bool learns = item.key().starts_with("backbone.blocks.1.") ||
                        item.key().starts_with("backbone.norm.") ||
                        item.key().starts_with("dino_head.mlp");
    if (learns || item.key().starts_with("backbone.")) {
      EXPECT_EQ(torch::equal(item.value(), before[item.key()]), !learns) << item.key();
    }
  }
}

}  // namespace
}  // namespace dino::train
