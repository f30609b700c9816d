#include "dino/base/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>
#include <thread>

#include "tests/temp_dir.h"

namespace dino {
namespace {

namespace fs = std::filesystem;

constexpr int kNone = std::numeric_limits<int>::max();

TEST(UsableProcessors, AreThoseOfTheAffinityMask) {
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  EXPECT_GE(usable_processors(), 1);
  EXPECT_LE(usable_processors(), CPU_COUNT(&all));
  std::thread([&] {  // a thread of its own, so that the test program keeps its mask
    cpu_set_t one;
    CPU_ZERO(&one);
    for (std::size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i)
      if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(usable_processors(), 1);
    EXPECT_EQ(pool_workers(0), 0);
  })
      .join();
}

class ControlGroups : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << '\n';
  }
  int quota(const std::string& membership) {
    write("membership", membership);
    return control_group_quota(root_ / "membership", root_);
  }
  const test::TempDir temp_;
  const fs::path root_ = temp_ / "cgroup";
};

TEST_F(ControlGroups, OfVersion2LimitAllBelow) {
  write("box/cpu.max", "250000 100000");
  write("box/inner/cpu.max", "max 100000");
  write("other/cpu.max", "100000 100000");
  EXPECT_EQ(quota("0::/box"), 3);  // two and a half, rounded up
  EXPECT_EQ(quota("0::/box/inner"), 3);
  EXPECT_EQ(quota("0::/box/inner/unknown"), 3);
  EXPECT_EQ(quota("0::/other"), 1);
  EXPECT_EQ(quota("0::/"), kNone);
}

TEST_F(ControlGroups, OfAContainerAreAtTheRoot) {
  write("cpu.max", "1000 100000");
  EXPECT_EQ(quota("0::/"), 1);  // never 0
  EXPECT_EQ(quota("0::/../../of/the/host"), 1);
}

TEST_F(ControlGroups, OfVersion1AreFoundByTheirController) {
  write("cpu,cpuacct/box/cpu.cfs_quota_us", "400000");
  write("cpu,cpuacct/box/cpu.cfs_period_us", "100000");
  EXPECT_EQ(quota("5:memory:/box\n4:cpu,cpuacct:/box"), 4);
  write("cpu/box/cpu.cfs_quota_us", "-1");
  write("cpu/box/cpu.cfs_period_us", "100000");
  EXPECT_EQ(quota("4:cpu:/box"), kNone);
  EXPECT_EQ(quota("5:memory:/box"), kNone);
}

TEST_F(ControlGroups, WhoseFilesMakeNoSenseLimitNothing) {
  for (const std::string text : {"", "max", "0 0", "100 0", "-5 100", "many 100", "100"}) {
    write("cpu.max", text);
    EXPECT_EQ(quota("0::/"), kNone) << text;
  }
  EXPECT_EQ(quota("no colons"), kNone);
  EXPECT_EQ(quota(""), kNone);
  EXPECT_EQ(control_group_quota(root_ / "absent", root_), kNone);
}

TEST(ThreadPlans, OfTrainingLetFewWorkersRunBesideTheStep) {
  struct Case {
    int threads, workers, beside;
  };
  for (const auto& [threads, workers, beside] :
       {Case{1, 0, 0}, Case{1, 1, 1}, Case{1, 8, 1}, Case{2, 0, 0}, Case{2, 1, 1}, Case{2, 2, 1},
        Case{2, 8, 1}, Case{3, 2, 1}, Case{16, 1, 1}, Case{16, 8, 2}, Case{64, 4, 4},
        Case{64, 16, 8}}) {
    const ThreadPlan plan = plan_training(threads, workers);
    EXPECT_EQ(plan.computing, threads);  // results of before are results of today
    EXPECT_EQ(plan.loading, workers);    // as the recipe asks
    EXPECT_EQ(plan.beside, beside) << threads << " threads, " << workers << " workers";
    EXPECT_LE(plan.most_running(), std::max(workers, threads + std::max(1, threads / 8)));
  }
}

TEST(ThreadPlans, OfFeaturesTakeTurns) {
  struct Case {
    int threads, beside, most_running;
  };
  for (const auto& [threads, beside, most_running] :
       {Case{1, 0, 1}, Case{2, 1, 3}, Case{3, 1, 4}, Case{16, 2, 18}, Case{64, 8, 72}}) {
    const ThreadPlan plan = plan_features(threads);
    EXPECT_EQ(plan.computing, threads);
    EXPECT_EQ(plan.loading, threads);
    EXPECT_EQ(plan.beside, beside) << threads;
    EXPECT_EQ(plan.most_running(), most_running) << threads;
  }
}

TEST(PoolWorkers, LeaveOneThreadToTheCaller) {
  EXPECT_EQ(pool_workers(1), 0U);
  EXPECT_EQ(pool_workers(2), 1U);
  EXPECT_EQ(pool_workers(64), 63U);
  EXPECT_EQ(pool_workers(0), static_cast<std::size_t>(usable_processors() - 1));
}

}  // namespace
}  // namespace dino
