// Golden values: the published configurations of DINO, DINOv2 and DINOv3 evaluated with
// numpy.linspace in float64.
#include "dino/base/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dino {
namespace {

#define EXPECT_CLOSE(value, golden) EXPECT_NEAR((value) / (golden), 1.0, 1e-9)

TEST(CosineSchedule, DinoLearningRate) {  // batch 512, 2502 iterations an epoch, 10 of 100 warm-up
  const CosineSchedule lr{.base = 1e-3, .end = 1e-6, .warmup = 25020, .iterations = 250200};
  EXPECT_EQ(lr.at(0), 0.0);
  EXPECT_EQ(lr.at(25019), 1e-3);
  EXPECT_EQ(lr.at(25020), 1e-3);
  EXPECT_CLOSE(lr.at(125100), 5.872372643e-4);
  EXPECT_EQ(lr.at(250200), 1e-6);
  EXPECT_EQ(lr.at(1000000), 1e-6);
}

TEST(CosineSchedule, DinoV2Short) {  // batch 2048: 0.004 * sqrt(2048 / 1024)
  const CosineSchedule lr{
      .base = 0.004 * std::sqrt(2.0), .end = 1e-6, .warmup = 12500, .iterations = 125000};
  EXPECT_EQ(lr.at(0), 0.0);
  EXPECT_CLOSE(lr.at(1), 4.5258454672e-7);
  EXPECT_CLOSE(lr.at(6250), 2.8286534170e-3);
  EXPECT_CLOSE(lr.at(12499), 5.6568542495e-3);
  EXPECT_CLOSE(lr.at(12500), 5.6568542495e-3);
  EXPECT_CLOSE(lr.at(12501), 5.6568542484e-3);
  EXPECT_CLOSE(lr.at(62500), 3.3199915165e-3);
  EXPECT_CLOSE(lr.at(124999), 1.0000011026e-6);
  const CosineSchedule decay{.base = 0.04, .end = 0.4, .iterations = 125000};
  EXPECT_DOUBLE_EQ(decay.at(0), 0.04);
  EXPECT_CLOSE(decay.at(62500), 0.22);
  EXPECT_CLOSE(decay.at(124999), 0.39999999994);
  const CosineSchedule momentum{.base = 0.992, .end = 1, .iterations = 125000};
  EXPECT_DOUBLE_EQ(momentum.at(0), 0.992);
  EXPECT_CLOSE(momentum.at(62500), 0.996);
}

TEST(CosineSchedule, DinoV2Long) {  // batch 3072: 2e-4 * sqrt(3072 / 1024)
  const CosineSchedule lr{
      .base = 2e-4 * std::sqrt(3.0), .end = 1e-6, .warmup = 100000, .iterations = 625000};
  EXPECT_CLOSE(lr.at(99999), 3.4641016151e-4);
  EXPECT_CLOSE(lr.at(100000), 3.4641016151e-4);
  EXPECT_CLOSE(lr.at(362500), 1.7370508076e-4);
  EXPECT_CLOSE(lr.at(624999), 1.0000000031e-6);
}

TEST(CosineSchedule, DegenerateLengths) {
  // numpy.linspace(start, base, 1) is [start].
  const CosineSchedule one{.start = 0.5, .base = 1, .end = 0, .warmup = 1, .iterations = 2};
  EXPECT_EQ(one.at(0), 0.5);
  EXPECT_EQ(one.at(1), 1.0);
  EXPECT_EQ(one.at(2), 0.0);
  const CosineSchedule only_warmup{.start = 0, .base = 1, .end = 3, .warmup = 3, .iterations = 3};
  EXPECT_EQ(only_warmup.at(2), 1.0);
  EXPECT_EQ(only_warmup.at(3), 3.0);
}

TEST(WarmupCosineConstant, DinoV3Pretraining) {
  const WarmupCosineConstant lr{.start = 0, .peak = 4e-4, .end = 4e-4, .warmup = 100000};
  EXPECT_EQ(lr.at(0), 0.0);
  EXPECT_CLOSE(lr.at(1), 4e-9);
  EXPECT_CLOSE(lr.at(50000), 2e-4);
  EXPECT_CLOSE(lr.at(99999), 3.99996e-4);
  EXPECT_EQ(lr.at(100000), 4e-4);
}

TEST(WarmupCosineConstant, DinoV3GramStage) {
  const WarmupCosineConstant local{
      .start = 1, .peak = 1, .end = 0.5, .warmup = 1000000, .cosine = 1000};
  const WarmupCosineConstant gram{.end = 2, .warmup = 1000000, .cosine = 1000};
  EXPECT_EQ(local.at(1000000), 1.0);
  EXPECT_EQ(gram.at(1000000), 0.0);
  EXPECT_NEAR(local.at(1000500), 0.749607, 5e-7);
  EXPECT_NEAR(gram.at(1000500), 1.001572, 5e-7);
  EXPECT_NEAR(local.at(1000999), 0.5, 1e-15);
  EXPECT_NEAR(gram.at(1000999), 2.0, 1e-15);
  EXPECT_EQ(gram.at(1001000), 2.0);
}

TEST(WarmupCosineConstant, DinoV3HighResolutionRampsUp) {
  const WarmupCosineConstant lr{.end = 1.25e-5, .cosine = 10000};
  EXPECT_NEAR(lr.at(1), 3.0849e-13, 1e-17);
  EXPECT_NEAR(lr.at(5000), 6.25098e-6, 5e-12);
  EXPECT_NEAR(lr.at(9999), 1.25e-5, 1e-18);
}

// numpy.linspace sets its last value to the end, which start + i * step can miss by a bit.
TEST(CosineSchedule, WarmupEndsExactlyAtItsBase) {
  for (std::int64_t warmup = 2; warmup < 2000; ++warmup) {
    const CosineSchedule lr{.start = 1e-6, .base = 7e-4, .warmup = warmup, .iterations = 4000};
    ASSERT_EQ(lr.at(warmup - 1), 7e-4) << warmup;
    ASSERT_EQ(lr.at(warmup), 7e-4) << warmup;
  }
}

TEST(Curve, HoldsAShapeForEachStride) {
  const Curve curve{LinearWarmup{.start = 1, .end = 4, .warmup = 4}, /*stride=*/10};
  for (std::int64_t i = 0; i < 60; ++i)
    ASSERT_EQ(curve.at(i), std::min<double>(1 + static_cast<double>(i / 10), 4)) << i;
  EXPECT_EQ(Curve{0.25}.at(1'000'000), 0.25);
  const Curves curves = {{"a", {2.0}}, {"b", curve}};
  EXPECT_EQ(evaluate(curves, 19), (Scheduled{{"a", 2}, {"b", 2}}));
}

TEST(RunLength, RoundsEpochsToIterations) {
  const RunLength length{2.5, 7};
  EXPECT_EQ(length.total(), 18);
  EXPECT_EQ(length.iterations(0.07), 0);
  EXPECT_EQ((RunLength{0.01, 7}).total(), 1);
}

TEST(LinearWarmup, TeacherTemperature) {
  const LinearWarmup boosted{.start = 0.04, .end = 0.07, .warmup = 30};  // DINO, in epochs
  EXPECT_EQ(boosted.at(0), 0.04);
  EXPECT_CLOSE(boosted.at(1), 0.04 + 0.03 / 29);
  EXPECT_EQ(boosted.at(29), 0.07);
  EXPECT_EQ(boosted.at(30), 0.07);
  const LinearWarmup v2{.start = 0.04, .end = 0.07, .warmup = 37500};  // DINOv2, in iterations
  EXPECT_NEAR(v2.at(18750), 0.0550004, 5e-8);
  EXPECT_EQ(v2.at(37499), 0.07);
  const LinearWarmup none{.start = 0.04, .end = 0.07};
  EXPECT_EQ(none.at(0), 0.07);
}

}  // namespace
}  // namespace dino
