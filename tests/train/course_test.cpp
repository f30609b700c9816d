// Courses of many steps on the tiny network of the golden trajectory: where the loss starts, and
// that a restored state continues bit for bit. Laws of a single step are in ssl_model_test.cpp.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "dino/train/ssl_model.h"
#include "tests/golden/tiny_training.h"

namespace {

using dino::golden::batch_at;
using dino::golden::kIterationsPerEpoch;
using dino::golden::tiny_recipe;
using dino::model::Precision;
using dino::train::SslModel;

using State = std::map<std::string, std::vector<std::byte>>;

State copy_of_state(const SslModel& model) {
  State state;
  for (const auto& record : dino::model::to_records(model.state()))
    state[record.name].assign(record.bytes.begin(), record.bytes.end());
  return state;
}

void restore(SslModel& model, const State& state) {
  auto records = dino::model::to_records(model.state());
  for (auto& record : records) record.bytes = state.at(record.name);
  model.load_state(records);
}

dino::recipe::Recipe paper_head() {
  auto recipe = tiny_recipe(true);
  recipe.head.prototypes = 65536;
  recipe.head.bottleneck = 256;
  return recipe;
}

// At random weights logits are cosines of variance 1/256. Their spread costs 1 / (2 * 256 * 0.1^2)
// = 0.195 over ln K; as teacher and student start equal, what they agree on saves at most 1 / (256
// * 0.1 * 0.04) = 0.977.
TEST(Course, FirstLossIsNearLnK) {
  SslModel model(paper_head(), Precision::Fp32, kIterationsPerEpoch);
  const double loss = model.step(batch_at(0), 0).figures.at("loss");
  EXPECT_LT(loss, 11.090 + 0.195 + 0.02);
  EXPECT_GT(loss, 11.090 + 0.195 - 0.977 - 0.02);
}

// With stochastic depth, so that the random streams must come back too.
TEST(Course, ResumedStepsAreTheSameBytes) {
  for (const auto precision : {Precision::Fp32, Precision::Bf16}) {
    for (const std::string optimizer : {"adamw", "sgd", "lars"}) {
      SCOPED_TRACE(optimizer);
      auto recipe = tiny_recipe(false);
      recipe.backbone.drop_path = 0.3;
      recipe.optim.optimizer = optimizer;
      SslModel straight(recipe, precision, kIterationsPerEpoch);
      for (int step = 0; step < 3; ++step) straight.step(batch_at(step), step);
      const State saved = copy_of_state(straight);
      for (int step = 3; step < 6; ++step) straight.step(batch_at(step), step);

      SslModel resumed(recipe, precision, kIterationsPerEpoch);
      restore(resumed, saved);
      EXPECT_EQ(copy_of_state(resumed), saved);
      for (int step = 3; step < 6; ++step) resumed.step(batch_at(step), step);
      EXPECT_EQ(copy_of_state(resumed), copy_of_state(straight));
    }
  }
}

// Steps 3 to 5 lie around the copy of the Gram teacher, step 8 after its renewal.
TEST(Course, DinoV3sObjectivesResumeToTheSameBytes) {
  for (const std::string by : {"koleo", "sigreg", "coding_rate"}) {
    for (const int stop : {3, 5, 8}) {
      SCOPED_TRACE(by + " at " + std::to_string(stop));
      auto recipe = dino::golden::tiny_v3_recipe(/*seven=*/true);
      recipe.spread.by = by;
      recipe.backbone.drop_path = 0.4;
      recipe.backbone.drop_path_rule = "subset";
      recipe.backbone.rope_rescale = 2;
      SslModel straight(recipe, Precision::Fp32, kIterationsPerEpoch);
      for (int step = 0; step < stop; ++step) straight.step(batch_at(step, recipe), step);
      const State saved = copy_of_state(straight);
      for (int step = stop; step < 10; ++step) straight.step(batch_at(step, recipe), step);
      SslModel resumed(recipe, Precision::Fp32, kIterationsPerEpoch);
      restore(resumed, saved);
      for (int step = stop; step < 10; ++step) resumed.step(batch_at(step, recipe), step);
      EXPECT_EQ(copy_of_state(resumed), copy_of_state(straight));
    }
  }
}

// A step that is not finite changes nothing: targets, centers and networks of every objective.
TEST(Course, APoisonedBatchChangesNothingOfDinoV2) {
  for (const bool sinkhorn : {false, true}) {
    const auto recipe = dino::golden::tiny_v2_recipe(/*tied=*/false, sinkhorn, /*swiglu=*/true);
    SslModel model(recipe, Precision::Fp32, kIterationsPerEpoch);
    for (int step = 0; step < 2; ++step) model.step(batch_at(step, recipe), step);
    const State before = copy_of_state(model);
    auto poisoned = batch_at(2, recipe);
    poisoned.globals.data()[5] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(model.step(poisoned, 2).skipped);
    EXPECT_EQ(copy_of_state(model), before);
  }
}

// DINOv2's losses are means over the crops of a batch: in micro-batches they are the same, but for
// Sinkhorn-Knopp and KoLeo, which see only their part.
TEST(Course, AccumulationGivesTheSameStepsOfDinoV2) {
  auto recipe = dino::golden::tiny_v2_recipe(/*tied=*/true, /*sinkhorn=*/false, /*swiglu=*/false);
  recipe.objectives = {"dino", "ibot"};
  SslModel whole(recipe, Precision::Fp32, kIterationsPerEpoch);
  recipe.train.accumulate = 4;
  SslModel parts(recipe, Precision::Fp32, kIterationsPerEpoch);
  const auto batch = batch_at(0, recipe);
  const auto a = whole.step(batch, 0), b = parts.step(batch, 0);
  for (const char* loss : {"loss_dino", "loss_ibot", "gradient_norm"})
    EXPECT_NEAR(a.figures.at(loss) / b.figures.at(loss), 1, 1e-5) << loss;
}

}  // namespace
