#include "dino/train/considerate_waits.h"

#include <gtest/gtest.h>
#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
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

/** Processes that do nothing but keep processors busy, until the object goes. */
class BusyProcesses {
 public:
  explicit BusyProcesses(int count) {
    for (int i = 0; i < count; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        alarm(60);  // ends it, should nobody else
        for (;;) {
        }
      }
      if (child > 0) children_.push_back(child);
    }
  }
  ~BusyProcesses() {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  }
  BusyProcesses(const BusyProcesses&) = delete;
  BusyProcesses& operator=(const BusyProcesses&) = delete;

 private:
  std::vector<pid_t> children_;
};

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
  if (!spins_at_all() || !seconds_waited() || !seconds_of_others())
    GTEST_SKIP() << "nothing to see here";
  const ConsiderateWaits waits(2);
  const BusyProcesses others(2 * usable_processors());
  std::vector<std::jthread> own;  // since a thread that sleeps does not wait for a processor
  for (int i = 0; i < usable_processors(); ++i)
    own.emplace_back([](const std::stop_token& stop) {
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
