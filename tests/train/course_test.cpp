// Courses of many steps on the tiny network of the golden trajectory: where the loss starts, and
// that a restored state continues bit for bit. Laws of a single step are in ssl_model_test.cpp.
#include <gtest/gtest.h>
#include <torch/types.h>

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

}  // namespace
