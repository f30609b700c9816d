#include "dino/train/monitor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "dino/base/error.h"
#include "dino/objectives/registry.h"
#include "dino/train/learner.h"

namespace dino::train {
namespace {

const double kLnK = std::log(1024.0);

/** The rules of the DINO objective with 1,024 prototypes. */
std::vector<AlarmRule> dino_rules() {
  recipe::Recipe recipe;
  recipe.head.prototypes = 1024;
  return objectives::make_objectives(recipe)[0].objective->alarms();
}

StepReport step_of(double loss, double entropy, double kl) {
  return {{{"loss_dino", loss * kLnK},
           {"teacher_entropy", entropy * kLnK},
           {"teacher_student_kl", kl * kLnK}}};
}

StepReport healthy() {
  return step_of(0.7, 0.4, 0.3);
}
StepReport uniform() {
  return step_of(0.9999, 0.9999, 0);
}
StepReport skipped() {
  return {{{"loss_dino", std::nan("")}}, /*skipped=*/true};
}

/** A monitor past its grace period, fed with `count` equal steps at a time. */
class MonitorTest : public ::testing::Test {
 protected:
  MonitorTest() { EXPECT_TRUE(feed(healthy(), 400).empty()); }

  std::vector<std::string> feed(const StepReport& step, int count) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i)
      for (const Alarm& alarm : monitor_.observe(++iteration_, step.figures, step.skipped)) {
        names.push_back(alarm.name);
        last_message_ = alarm.message;
      }
    return names;
  }

  Monitor monitor_{{.rules = dino_rules(), .iterations_per_epoch = 50}};
  std::int64_t iteration_ = 0;
  std::string last_message_;
};

using Names = std::vector<std::string>;

TEST_F(MonitorTest, IsWellOnFullWindowsWithoutACollapse) {
  Monitor fresh({.rules = dino_rules(), .iterations_per_epoch = 50});
  for (int i = 1; i < 200; ++i) {
    fresh.observe(i, healthy().figures, false);
    ASSERT_FALSE(fresh.is_well()) << i;  // in the grace period every run looks bad
  }
  fresh.observe(200, healthy().figures, false);
  EXPECT_TRUE(fresh.is_well());
  EXPECT_TRUE(monitor_.is_well());
  feed(uniform(), 100);
  EXPECT_FALSE(monitor_.is_well());
  feed(uniform(), 50);  // the alarm is not raised again, but the trouble is there
  EXPECT_FALSE(monitor_.is_well());
  feed(healthy(), 100);
  EXPECT_TRUE(monitor_.is_well());
  feed(step_of(1, 0.4, 0.6), 100);  // a stuck loss has no remedy
  EXPECT_TRUE(monitor_.is_well());
  Monitor resumed({.rules = dino_rules(), .iterations_per_epoch = 50});
  resumed.observe(1000, healthy().figures, false);
  EXPECT_FALSE(resumed.is_well());  // one step tells nothing
}

TEST_F(MonitorTest, UniformTeacherIsOneCollapseNotAlsoAStuckLoss) {
  EXPECT_EQ(feed(uniform(), 300), (Names{"uniform_collapse", "constant_output"}));
}

TEST_F(MonitorTest, OneHotTeacher) {
  EXPECT_EQ(feed(step_of(0.7, 0.001, 0.3), 300), Names{"one_hot_collapse"});
  EXPECT_NE(last_message_.find("dino.teacher_temperature"), std::string::npos);
  // The mean as it enters the band, to four digits.
  EXPECT_NE(last_message_.find("(entropy 0.06"), std::string::npos) << last_message_;
  EXPECT_NE(last_message_.find("; ln K = 6.931)"), std::string::npos) << last_message_;
}

TEST_F(MonitorTest, AgreementOnEveryCropIsConstantOutput) {
  EXPECT_EQ(feed(step_of(0.7, 0.4, 1e-6), 300), Names{"constant_output"});
}

TEST_F(MonitorTest, LossAtLnKWithASharpTeacherIsStuck) {
  EXPECT_EQ(feed(step_of(1, 0.4, 0.3), 300), Names{"loss_stuck"});
  EXPECT_NE(last_message_.find("after 499 steps"), std::string::npos) << last_message_;
}

TEST_F(MonitorTest, AMeanThatWavesAroundABoundIsOneEpisode) {
  const double bound = 0.01;
  EXPECT_EQ(feed(step_of(0.7, 0.9 * bound, 0.3), 200).size(), 1U);
  EXPECT_TRUE(feed(step_of(0.7, 1.5 * bound, 0.3), 200).empty());
  EXPECT_TRUE(feed(step_of(0.7, 0.9 * bound, 0.3), 200).empty()) << "never well outside";
  EXPECT_TRUE(feed(step_of(0.7, 2.5 * bound, 0.3), 200).empty());
  EXPECT_EQ(feed(step_of(0.7, 0.9 * bound, 0.3), 200).size(), 1U);
}

TEST_F(MonitorTest, AnEpisodeEndsAndTheNextIsReportedAgain) {
  EXPECT_EQ(feed(step_of(1, 0.4, 0.3), 200).size(), 1U);
  EXPECT_TRUE(feed(healthy(), 200).empty());
  EXPECT_EQ(feed(step_of(1, 0.4, 0.3), 200).size(), 1U);
}

TEST_F(MonitorTest, AFewBadStepsAreNoCollapse) {
  EXPECT_TRUE(feed(uniform(), 20).empty());
}

TEST_F(MonitorTest, SkippedStepsAreReportedOncePerRowAndEndTheRunAtTen) {
  EXPECT_EQ(feed(skipped(), 9), Names{"step_skipped"});
  EXPECT_TRUE(feed(healthy(), 1).empty());
  EXPECT_EQ(feed(skipped(), 9), Names{"step_skipped"});
  EXPECT_THROW(feed(skipped(), 1), Error);
}

TEST(Monitor, TheStartMayLookUniform) {
  Monitor monitor({.rules = dino_rules(), .iterations_per_epoch = 1000});
  const auto figures = uniform().figures;
  for (int i = 1; i < 1000; ++i) EXPECT_TRUE(monitor.observe(i, figures, false).empty()) << i;
  EXPECT_FALSE(monitor.observe(1000, figures, false).empty());
}

}  // namespace
}  // namespace dino::train
