// What a run will do, before it is paid for.
#include "dino/recipe/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dino/base/error.h"

namespace dino::recipe {
namespace {

/** The step of the event whose text has this in it; -1 if there is none. */
std::int64_t step_of(const Plan& plan, const std::string& part) {
  const auto found = std::ranges::find_if(plan.events, [&](const PlanEvent& event) {
    return event.what.find(part) != std::string::npos;
  });
  return found == plan.events.end() ? -1 : found->step;
}

std::int64_t count_of(const Plan& plan, const std::string& part) {
  return std::ranges::count_if(plan.events, [&](const PlanEvent& event) {
    return event.what.find(part) != std::string::npos;
  });
}

TEST(Plan, OfDinoV3sGramStage) {
  const Plan plan = plan_of(load_recipe("dinov3_gram"), 0);
  EXPECT_EQ(plan.steps, 1'200'000);
  EXPECT_EQ(plan.micro_batches, 256);
  EXPECT_EQ(step_of(plan, "warm-up ends"), 100'000);
  EXPECT_EQ(step_of(plan, "last layers of the heads learn"), 5'000);
  EXPECT_EQ(step_of(plan, "copied"), 200'000);
  EXPECT_EQ(step_of(plan, "anchoring begins"), 1'000'000);
  EXPECT_EQ(step_of(plan, "local crops goes from 1 to 0.5"), 1'000'000);
  EXPECT_EQ(step_of(plan, "renewed"), 1'010'000);
  EXPECT_EQ(count_of(plan, "renewed"), 3);
  EXPECT_TRUE(std::ranges::is_sorted(plan.events, {}, &PlanEvent::step));
  EXPECT_NEAR(static_cast<double>(plan.student_parameters), 6716e6, 20e6);
  EXPECT_EQ(plan.rows.front().step, 0);
  EXPECT_EQ(plan.rows.back().step, 1'199'999);
  const auto gram = std::ranges::find(plan.curves, "weight_gram") - plan.curves.begin();
  EXPECT_EQ(plan.rows.front().values[static_cast<std::size_t>(gram)], 0);
  EXPECT_EQ(plan.rows.back().values[static_cast<std::size_t>(gram)], 2);
}

TEST(Plan, OfARunThatBeginsWithWeights) {
  const Recipe r = parse_recipe(
      "[start]\nfrom = 'dinov2_vits14.pth'\nfrozen_steps = 30\nramp_steps = 10\n"
      "[train]\nepochs = 2\nbatch_size = 8\n[optim]\nwarmup_epochs = 0",
      "test", ".");
  const Plan plan = plan_of(r, 400);
  EXPECT_EQ(plan.steps, 100);
  EXPECT_EQ(step_of(plan, "begin as dinov2_vits14.pth"), 0);
  EXPECT_EQ(step_of(plan, "backbone learns too"), 30);
  EXPECT_NE(to_text(plan, r).find("rising for 10 steps"), std::string::npos);
  EXPECT_THROW(plan_of(r, 7), Error) << "fewer images than a batch";
}

// The head of DINO: 384 -> 2048 -> 2048 -> 256 -> 65536, with biases and gains.
TEST(Plan, CountsParameters) {
  const Plan plan = plan_of(load_recipe("dino_vits16"), 1'281'167);
  EXPECT_EQ(plan.head_parameters, 385 * 2048 + 2049 * 2048 + 2049 * 256 + 65536 * 256 + 65536);
  EXPECT_NEAR(static_cast<double>(plan.student_parameters), 21.7e6, 0.1e6);
  EXPECT_EQ(plan.steps_per_epoch, 2502);
  EXPECT_EQ(plan.state_bytes, (plan.student_parameters + plan.head_parameters) * 5 * 4);
}

TEST(Plan, ShortRunsHaveFewRows) {
  const Recipe r =
      parse_recipe("[train]\nepochs = 1\nbatch_size = 4\n[optim]\nwarmup_epochs = 0", "test", ".");
  const Plan plan = plan_of(r, 12);
  EXPECT_EQ(plan.steps, 3);
  EXPECT_EQ(plan.rows.size(), 3u);
}

}  // namespace
}  // namespace dino::recipe
