#include "dino/train/metrics_window.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dino::train {
namespace {

StepReport with_loss(double loss) {
  return {{{"loss", loss}, {"loss_dino", 2 * loss}}};
}

TEST(MetricsWindow, MeansOverStepsAndSpeedOverTime) {
  MetricsWindow window;
  window.add(with_loss(1), 0.5, 0.1, 64);
  window.add(with_loss(3), 1.5, 0.3, 64);
  const auto means = window.means();
  EXPECT_DOUBLE_EQ(means["loss"], 2);
  EXPECT_DOUBLE_EQ(means["loss_dino"], 4);
  EXPECT_DOUBLE_EQ(means["images_per_second"], 64);
  EXPECT_DOUBLE_EQ(means["data_wait_share"], 0.2);
  EXPECT_FALSE(means.contains("skipped_steps"));
}

TEST(MetricsWindow, SkippedStepsAreCountedNotAveraged) {
  MetricsWindow window;
  StepReport bad = with_loss(std::nan(""));
  bad.skipped = true;
  window.add(bad, 1, 0, 64);
  EXPECT_TRUE(window.means()["loss"].is_null());
  window.add(with_loss(5), 1, 0, 64);
  EXPECT_DOUBLE_EQ(window.means()["loss"], 5);
  EXPECT_EQ(window.means()["skipped_steps"], 1);
}

TEST(MetricsWindow, AStoredWindowContinuesExactly) {
  MetricsWindow whole, first;
  for (int i = 0; i < 7; ++i) {
    whole.add(with_loss(std::sqrt(i)), 0.1, 0, 64);
    first.add(with_loss(std::sqrt(i)), 0.1, 0, 64);
    first = nlohmann::json::parse(nlohmann::json(first).dump()).get<MetricsWindow>();
  }
  EXPECT_EQ(whole.means(), first.means());
}

}  // namespace
}  // namespace dino::train
