#include "dino/train/monitor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "dino/base/error.h"

namespace dino::train {
namespace {

const double kLnK = std::log(1024.0);

StepMetrics healthy() {
  StepMetrics metrics;
  metrics.loss = 0.7 * kLnK;
  metrics.teacher_entropy = 0.4 * kLnK;
  metrics.teacher_student_kl = 0.3 * kLnK;
  return metrics;
}

StepMetrics uniform() {
  StepMetrics metrics;
  metrics.loss = metrics.teacher_entropy = 0.9999 * kLnK;
  return metrics;
}

StepMetrics skipped() {
  StepMetrics metrics;
  metrics.loss = std::nan("");
  metrics.skipped = true;
  return metrics;
}

/** A monitor past its grace period, fed with `count` equal steps at a time. */
class MonitorTest : public ::testing::Test {
 protected:
  MonitorTest() { EXPECT_TRUE(feed(healthy(), 400).empty()); }

  std::vector<std::string> feed(const StepMetrics& metrics, int count, double data_wait = 0) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i)
      for (const Alarm& alarm : monitor_.observe(++iteration_, metrics, data_wait)) {
        names.push_back(alarm.name);
        last_message_ = alarm.message;
      }
    return names;
  }

  Monitor monitor_{{.uniform_entropy = kLnK, .iterations_per_epoch = 50}};
  std::int64_t iteration_ = 0;
  std::string last_message_;
};

using Names = std::vector<std::string>;

TEST_F(MonitorTest, UniformTeacherIsOneCollapseNotAlsoAStuckLoss) {
  EXPECT_EQ(feed(uniform(), 300), (Names{"uniform_collapse", "constant_output"}));
}

TEST_F(MonitorTest, OneHotTeacher) {
  StepMetrics metrics = healthy();
  metrics.teacher_entropy = 0.001 * kLnK;
  EXPECT_EQ(feed(metrics, 300), Names{"one_hot_collapse"});
  EXPECT_NE(last_message_.find("dino.teacher_temperature"), std::string::npos);
}

TEST_F(MonitorTest, AgreementOnEveryCropIsConstantOutput) {
  StepMetrics metrics = healthy();
  metrics.teacher_student_kl = 1e-5;
  EXPECT_EQ(feed(metrics, 300), Names{"constant_output"});
}

TEST_F(MonitorTest, LossAtLnKWithASharpTeacherIsStuck) {
  StepMetrics metrics = healthy();
  metrics.loss = kLnK;
  EXPECT_EQ(feed(metrics, 300), Names{"loss_stuck"});
}

TEST_F(MonitorTest, WaitingForDataNamesTheSetting) {
  EXPECT_EQ(feed(healthy(), 300, 0.5), Names{"data_wait"});
  EXPECT_NE(last_message_.find("data.workers"), std::string::npos);
}

TEST_F(MonitorTest, AnEpisodeEndsAndTheNextIsReportedAgain) {
  StepMetrics metrics = healthy();
  metrics.loss = kLnK;
  EXPECT_EQ(feed(metrics, 200).size(), 1U);
  EXPECT_TRUE(feed(healthy(), 200).empty());
  EXPECT_EQ(feed(metrics, 200).size(), 1U);
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
  Monitor monitor({.uniform_entropy = kLnK, .iterations_per_epoch = 1000});
  for (int i = 1; i < 1000; ++i) EXPECT_TRUE(monitor.observe(i, uniform(), 0).empty()) << i;
  EXPECT_FALSE(monitor.observe(1000, uniform(), 0).empty());
}

}  // namespace
}  // namespace dino::train
