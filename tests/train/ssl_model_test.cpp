// Laws of one training step: the teacher is the student's moving average, poison changes nothing,
// the seed decides every byte.
#include "dino/train/ssl_model.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "dino/base/error.h"
#include "tests/train/step_fakes.h"

namespace dino::train {
namespace {

using test::noise_batch;
using test::step_recipe;

using State = std::map<std::string, std::vector<std::byte>>;
State snapshot(const SslModel& model) {
  State state;
  for (const auto& record : model::to_records(model.state())) {
    state[record.name].assign(record.bytes.begin(), record.bytes.end());
  }
  return state;
}

constexpr auto kFp32 = model::Precision::Fp32;

TEST(SslModel, TeacherStartsAsTheStudentAndFollowsIt) {
  const auto r = step_recipe();
  SslModel model(r, kFp32, 10);
  const torch::Tensor before = model.teacher().arena.values().clone();
  EXPECT_TRUE(torch::equal(before, model.student().arena.values()));
  model.step(noise_batch(r, 1), 0);
  const double m = model.schedule(0).at("momentum");
  const torch::Tensor expected = before * m + model.student().arena.values() * (1 - m);
  EXPECT_FALSE(torch::equal(before, model.student().arena.values()));
  EXPECT_LT((model.teacher().arena.values() - expected).abs().max().item<double>(), 1e-7);
}

TEST(SslModel, TheTeacherSeesItsOwnCropsIfThereAreAny) {
  const auto r = step_recipe();
  const auto entropy = [&](bool own, std::uint64_t seed) {
    SslModel model(r, kFp32, 10);
    data::CropBatch batch = noise_batch(r, 1);
    if (own) batch.teacher_globals = std::move(noise_batch(r, seed).globals);
    return model.step(batch, 0).figures.at("teacher_entropy");
  };
  EXPECT_EQ(entropy(true, 1), entropy(false, 0)) << "the same crops";
  EXPECT_NE(entropy(true, 2), entropy(false, 0));
}

TEST(SslModel, UniformStudentLosesLnK) {
  auto r = step_recipe();
  r.dino.student_temperature = 1e3;  // whatever the logits, the student's softmax is uniform
  SslModel model(r, kFp32, 10);
  const auto metrics = model.step(noise_batch(r, 1), 0);
  EXPECT_NEAR(metrics.figures.at("loss"), std::log(32.0), 2e-3);
  EXPECT_NEAR(model.metrics().at(0).reference.value(), std::log(32.0), 1e-12);
  EXPECT_GE(metrics.figures.at("teacher_student_kl"), 0);
}

TEST(SslModel, SameSeedSameBytesOtherSeedOthers) {
  auto r = step_recipe();
  const auto run = [&] {
    SslModel model(r, kFp32, 10);
    for (int i = 0; i < 3; ++i) model.step(noise_batch(r, 5 + static_cast<std::uint64_t>(i)), i);
    return snapshot(model);
  };
  const State first = run();
  EXPECT_EQ(first, run());
  r.seed = 1;
  EXPECT_NE(first, run());
}

/** Architectures of the later papers, made small. */
std::vector<recipe::Backbone> later_backbones() {
  return {{.arch = "dinov2_vits14_reg", .patch_size = 4, .dim = 16, .depth = 2, .heads = 2},
          {.arch = "dinov2_vitg14", .patch_size = 4, .dim = 16, .depth = 2, .heads = 2},
          {.arch = "dinov3_vits16",
           .patch_size = 4,
           .dim = 16,
           .depth = 2,
           .heads = 2,
           .layer_scale = 0.1,
           .rope_shift = 0.1,
           .rope_jitter = 1.1,
           .rope_rescale = 2}};
}

TEST(SslModel, TrainsTheBackbonesOfTheLaterPapers) {
  for (const auto& backbone : later_backbones()) {
    SCOPED_TRACE(backbone.arch);
    auto r = step_recipe();
    r.backbone = backbone;
    SslModel model(r, kFp32, 10), again(r, kFp32, 10);
    const State before = snapshot(model);
    for (int i = 0; i < 3; ++i) {
      const auto metrics = model.step(noise_batch(r, 5), i);
      EXPECT_TRUE(std::isfinite(metrics.figures.at("loss")));
      again.step(noise_batch(r, 5), i);
    }
    EXPECT_EQ(snapshot(model), snapshot(again)) << "the seed decides every byte";
    const State after = snapshot(model);
    for (const auto& item : model.student().backbone->named_parameters()) {
      if (item.key() == "mask_token") continue;  // nothing is masked here
      const std::string stored = "student.backbone." + item.key();
      ASSERT_TRUE(before.contains(stored)) << stored;
      EXPECT_TRUE(before.at(stored) != after.at(stored)) << stored << " has not moved";
    }
  }
}

TEST(SslModel, StateRestoresTheExactCourse) {
  const auto r = step_recipe();
  SslModel straight(r, kFp32, 10), first(r, kFp32, 10);
  for (int i = 0; i < 2; ++i) {
    straight.step(noise_batch(r, 7), i);
    first.step(noise_batch(r, 7), i);
  }
  auto other = r;
  other.seed = 99;  // other initial weights, all of which load_state() replaces
  SslModel resumed(other, kFp32, 10);
  resumed.load_state(model::to_records(first.state()));
  EXPECT_EQ(snapshot(first), snapshot(resumed));
  auto same = r;
  SslModel again(same, kFp32, 10);
  again.load_state(model::to_records(first.state()));
  again.step(noise_batch(r, 8), 2);
  straight.step(noise_batch(r, 8), 2);
  EXPECT_EQ(snapshot(straight), snapshot(again)) << "the course goes on alike";
}

TEST(SslModel, PoisonedBatchChangesNothing) {
  const auto r = step_recipe();
  SslModel model(r, kFp32, 10);
  model.step(noise_batch(r, 1), 0);
  const State before = snapshot(model);
  auto poisoned = noise_batch(r, 2);
  poisoned.globals.data()[3] = std::numeric_limits<float>::quiet_NaN();
  const auto metrics = model.step(poisoned, 1);
  EXPECT_TRUE(metrics.skipped);
  EXPECT_EQ(before, snapshot(model));
  EXPECT_FALSE(model.step(noise_batch(r, 3), 2).skipped);
}

// What a teacher sees is whole: its targets for a batch are those of a network that drops nothing.
TEST(SslModel, OnlyTheStudentDropsPaths) {
  auto r = step_recipe();
  r.backbone.drop_path = 0.9;
  const auto entropy_and_loss = [&](double drop_path, std::uint64_t step_seed) {
    auto dropping = r;
    dropping.backbone.drop_path = drop_path;
    SslModel model(dropping, kFp32, 10);
    const auto report = model.step(noise_batch(r, 1), static_cast<std::int64_t>(step_seed));
    return std::pair{report.figures.at("teacher_entropy"), report.figures.at("loss")};
  };
  const auto [whole_entropy, whole_loss] = entropy_and_loss(0, 0);
  const auto [entropy, loss] = entropy_and_loss(0.9, 0);
  EXPECT_EQ(entropy, whole_entropy);
  EXPECT_NE(loss, whole_loss);
}

// The streams of a step follow from the seed and the iteration alone: not from the steps before.
TEST(SslModel, WhatAStepDrawsFollowsFromItsIteration) {
  auto r = step_recipe();
  r.backbone.drop_path = 0.5;
  r.optim.lr = 1e-12;  // the networks stay as they are, so only the draws differ
  r.optim.min_lr = 0;
  r.optim.weight_decay = r.optim.weight_decay_end = 0;
  r.dino.center_momentum = 0.999999;
  const auto batch = noise_batch(r, 1);
  const auto loss_at = [&](int steps_before, int iteration) {
    SslModel model(r, kFp32, 10);
    for (int i = 0; i < steps_before; ++i) model.step(batch, i);
    return model.step(batch, iteration).figures.at("loss");
  };
  EXPECT_NEAR(loss_at(0, 5), loss_at(3, 5), 1e-5);
  EXPECT_GT(std::abs(loss_at(0, 5) - loss_at(0, 6)), 1e-3);
}

TEST(SslModel, ATeacherWithBatchNormStartsWithTheStudentsStatistics) {
  auto r = step_recipe();
  r.head.batch_norm = true;
  SslModel model(r, kFp32, 10);
  const auto student = model.student().module->named_buffers();
  int compared = 0;
  for (const auto& item : model.teacher().module->named_buffers()) {
    EXPECT_TRUE(torch::equal(item.value(), student[item.key()])) << item.key();
    ++compared;
  }
  EXPECT_GT(compared, 3);
  EXPECT_TRUE(model.teacher().module->is_training()) << "its statistics are the batch's";
}

using Recipes = std::map<std::string, recipe::Recipe>;

// Networks with running statistics, which a forward pass changes before anyone knows whether the
// step is good. Of a head they are quick, of the smallest ResNet and XCiT there are, slow.
Recipes head_with_batch_norm() {
  recipe::Recipe head = step_recipe();
  head.head.batch_norm = true;
  head.backbone.drop_path = 0;
  return {{"head", head}};
}
Recipes backbones_with_batch_norm() {
  recipe::Recipe convolutional = step_recipe();
  convolutional.backbone = {.arch = "resnet50"};
  convolutional.crops.global_size = 32;
  convolutional.crops.local_size = 32;
  convolutional.crops.local_count = 1;
  recipe::Recipe xcit = convolutional;
  xcit.backbone = {.arch = "dino_xcit_small_12_p16"};
  return {{"resnet50", convolutional}, {"xcit", xcit}};
}

void expect_skipped_steps_change_nothing(const Recipes& recipes) {
  for (const auto& [name, r] : recipes) {
    SCOPED_TRACE(name);
    SslModel model(r, kFp32, 10);
    ASSERT_FALSE(model.step(noise_batch(r, 1), 0).skipped);
    const State before = snapshot(model);
    auto poisoned = noise_batch(r, 2);
    poisoned.globals.data()[3] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(model.step(poisoned, 1).skipped);
    EXPECT_EQ(before, snapshot(model));
    const auto after = model.step(noise_batch(r, 3), 1);
    EXPECT_FALSE(after.skipped);
    SslModel undisturbed(r, kFp32, 10);
    undisturbed.load_state(model::to_records(model.state()));
    for (const auto& [key, bytes] : snapshot(undisturbed))
      if (key.ends_with("running_mean") || key.ends_with("running_var")) {
        const auto* values = reinterpret_cast<const float*>(bytes.data());
        for (std::size_t i = 0; i < bytes.size() / sizeof(float); ++i)
          ASSERT_TRUE(std::isfinite(values[i])) << key;
      }
  }
}

void expect_batch_norm_learns(const Recipes& recipes) {
  for (auto [name, r] : recipes) {
    SCOPED_TRACE(name);
    r.optim.lr = 1e-3;
    r.optim.ema_momentum = 1.0;  // a fixed teacher but for its statistics
    r.dino.center_momentum = 1.0;
    SslModel model(r, kFp32, 100);
    const State before = snapshot(model);
    const double first = model.step(noise_batch(r, 1), 0).figures.at("loss");
    double last = first;
    for (int i = 1; i < 6; ++i) last = model.step(noise_batch(r, 1), i).figures.at("loss");
    EXPECT_LT(last, first - 1e-3);
    const State after = snapshot(model);
    int statistics = 0;
    for (const auto& [key, bytes] : after) {
      if (!key.ends_with("running_mean")) continue;
      EXPECT_NE(before.at(key), bytes) << key << " follows the batches, also the teacher's";
      ++statistics;
    }
    EXPECT_GT(statistics, 1);
  }
}

TEST(SslModel, ASkippedStepLeavesRunningStatisticsAsTheyWere) {
  expect_skipped_steps_change_nothing(head_with_batch_norm());
}
TEST(SslModelSlow, ASkippedStepLeavesRunningStatisticsOfBackbonesAsTheyWere) {
  expect_skipped_steps_change_nothing(backbones_with_batch_norm());
}
TEST(SslModel, AHeadWithBatchNormLearnsAFixedBatch) {
  expect_batch_norm_learns(head_with_batch_norm());
}
TEST(SslModelSlow, ResNetAndXcitLearnAFixedBatch) {
  expect_batch_norm_learns(backbones_with_batch_norm());
}

TEST(SslModel, AccumulationChangesOnlyRounding) {
  auto r = step_recipe();
  r.backbone.drop_path = 0;  // its draws depend on the micro-batch
  SslModel whole(r, kFp32, 10);
  r.train.accumulate = 2;
  SslModel halves(r, kFp32, 10);
  const auto a = whole.step(noise_batch(r, 1), 0), b = halves.step(noise_batch(r, 1), 0);
  for (const char* name : {"loss", "loss_dino", "teacher_entropy", "teacher_student_kl"})
    EXPECT_NEAR(a.figures.at(name), b.figures.at(name), 1e-5) << name;
  const double norm = a.figures.at("gradient_norm");
  EXPECT_NEAR(norm, b.figures.at("gradient_norm"), 1e-4 * norm);
}

TEST(SslModel, FrozenLastLayerKeepsWeightsAndMoments) {
  auto r = step_recipe();
  r.optim.freeze_last_layer_epochs = 1;
  SslModel model(r, kFp32, /*iterations_per_epoch=*/1);
  const State before = snapshot(model);
  model.step(noise_batch(r, 1), 0);
  const State frozen = snapshot(model);
  const std::string v = "dino_head.last_layer.weight_v";
  EXPECT_EQ(before.at("student." + v), frozen.at("student." + v));
  EXPECT_EQ(before.at("optimizer.first_moment." + v), frozen.at("optimizer.first_moment." + v));
  EXPECT_NE(before.at("student.backbone.cls_token"), frozen.at("student.backbone.cls_token"));
  model.step(noise_batch(r, 1), 1);
  const State free = snapshot(model);
  EXPECT_NE(frozen.at("student." + v), free.at("student." + v));
  const std::string g = "student.dino_head.last_layer.weight_g";  // norm_last_layer keeps it at 1
  EXPECT_EQ(before.at(g), free.at(g));
}

TEST(SslModel, EveryOptimizerLearnsAFixedBatch) {
  for (const char* name : {"adamw", "sgd", "lars"}) {
    auto r = step_recipe();
    r.optim.optimizer = name;
    r.optim.lr = std::string(name) == "adamw" ? 2e-3 : 0.3;
    r.optim.ema_momentum = 1.0;  // a fixed teacher: the loss can only go down
    r.dino.center_momentum = 1.0;
    r.backbone.drop_path = 0;
    SslModel model(r, kFp32, 100);
    const double first = model.step(noise_batch(r, 1), 0).figures.at("loss");
    double last = first;
    for (int i = 1; i < 30; ++i) last = model.step(noise_batch(r, 1), i).figures.at("loss");
    EXPECT_LT(last, first - 1e-3) << name;
  }
}

// Checkpoints are read by these names: to change one is to lose every run that was begun before.
TEST(SslModel, StateHasTheNamesOfEarlierCheckpoints) {
  const SslModel model(step_recipe(), kFp32, 10);
  std::map<std::string, int> kinds;
  std::set<std::string> names;
  for (const auto& [name, tensor] : model.state()) {
    names.insert(name);
    const auto second = name.find('.', name.find('.') + 1);
    ++kinds[name.substr(0, second)];
  }
  const int backbone = 1 + 1 + 2 + 2 * 12 + 2, head = 3 * 2 + 2;
  EXPECT_EQ(kinds, (std::map<std::string, int>{{"student.backbone", backbone},
                                               {"student.dino_head", head},
                                               {"teacher.backbone", backbone},
                                               {"teacher.dino_head", head},
                                               {"dino_loss.center", 1},
                                               {"optimizer.first_moment", backbone + head},
                                               {"optimizer.second_moment", backbone + head},
                                               {"optimizer.steps", 1}}));
  for (const char* name :
       {"student.backbone.blocks.1.attn.qkv.weight", "teacher.dino_head.last_layer.weight_g",
        "optimizer.first_moment.backbone.cls_token",
        "optimizer.second_moment.dino_head.mlp.0.bias"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(SslModel, RefusesTheStateOfAnotherArchitecture) {
  auto r = step_recipe();
  SslModel model(r, kFp32, 10);
  r.backbone.depth = 3;
  SslModel deeper(r, kFp32, 10);
  const State before = snapshot(deeper);
  try {
    deeper.load_state(model::to_records(model.state()));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    EXPECT_NE(std::string(error.what()).find("blocks.2."), std::string::npos) << error.what();
  }
  EXPECT_EQ(before, snapshot(deeper));
}

TEST(SslModel, SchedulesAreTheRecipes) {
  auto r = step_recipe();
  r.optim = {};  // the ImageNet recipe: 5e-4 at batch 256, 10 epochs of warm-up
  r.train.batch_size = 512;
  r.train.epochs = 100;
  const SslModel model(r, kFp32, 2502);
  EXPECT_DOUBLE_EQ(model.schedule(0).at("lr"), 0);
  EXPECT_NEAR(model.schedule(25019).at("lr"), 1e-3, 1e-12);
  EXPECT_NEAR(model.schedule(25020).at("lr"), 1e-3, 1e-12);
  EXPECT_NEAR(model.schedule(125100).at("lr"), 5.872372643e-4, 1e-12);
  EXPECT_DOUBLE_EQ(model.schedule(0).at("weight_decay"), 0.04);
  EXPECT_DOUBLE_EQ(model.schedule(0).at("momentum"), 0.996);
}

}  // namespace
}  // namespace dino::train
