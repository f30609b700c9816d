#include "dino/train/considerate_waits.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include "dino/base/contention.h"
#include "dino/base/cores.h"

namespace dino::train {
namespace {

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/** What the calling thread computes while it waits for another one to end its part of a region:
 * nothing of use. Does not depend on what else the machine does. */
double seconds_spun() {
  std::atomic<int> members = 0;
  const double start = thread_seconds();
#pragma omp parallel num_threads(2)
  {
    ++members;
    if (omp_get_thread_num() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const double seconds = thread_seconds() - start;
  EXPECT_EQ(members, 2);
  return seconds;
}

bool spins_at_all() {
  return usable_processors() > 1 && std::getenv("OMP_WAIT_POLICY") == nullptr &&
         std::getenv("GOMP_SPINCOUNT") == nullptr;
}

constexpr double kWake = 1e-3;

TEST(SleepingWaits, LastAsLongAsTheObject) {
  if (!spins_at_all()) GTEST_SKIP() << "OpenMP does not spin here";
  EXPECT_GT(seconds_spun(), kWake);
  for (const int computing : {2, 1}) {
    {
      const SleepingWaits sleeping(computing);
      EXPECT_LT(seconds_spun(), kWake) << computing;
    }
    EXPECT_GT(seconds_spun(), kWake) << computing;
  }
}

TEST(ConsiderateWaits, SleepWhereProcessorsAreContended) {
  if (!spins_at_all() || !seconds_waited()) GTEST_SKIP() << "nothing to see here";
  const ConsiderateWaits waits(2);
  std::vector<std::jthread> others;
  for (int i = 0; i < 2 * usable_processors(); ++i)
    others.emplace_back([](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
      }
    });
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  double spun = seconds_spun();
  while (spun > kWake && std::chrono::steady_clock::now() < end) spun = seconds_spun();
  EXPECT_LT(spun, kWake);
}

TEST(ConsiderateWaits, EndAtOnce) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) const ConsiderateWaits waits(i % 3);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
}

}  // namespace
}  // namespace dino::train
