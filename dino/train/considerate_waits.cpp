#include "dino/train/considerate_waits.h"

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "dino/base/contention.h"
#include "dino/train/gathered_threads.h"

namespace dino::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kInterval = std::chrono::milliseconds(500);

struct Reading {
  Clock::time_point time = Clock::now();
  std::optional<double> waited = seconds_waited(), others = seconds_of_others();
};

void watch(const std::stop_token& stop, const std::vector<pid_t>& team) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  std::optional<SleepingWaits> sleeping;
  std::optional<GatheredThreads> gathered;
  Contention contention;
  Reading last;
  while (!stop.stop_requested()) {
    wake.wait_for(lock, stop, kInterval, [] { return false; });
    const Reading now;
    if (!last.waited || !now.waited || !last.others || !now.others) return;
    const double seconds = std::chrono::duration<double>(now.time - last.time).count();
    // Less has been waited than before where a thread has ended; that is no contention.
    const bool contended = contention.update({.waited = (*now.waited - *last.waited) / seconds,
                                              .others = (*now.others - *last.others) / seconds});
    if (!contended) {
      gathered.reset();
      sleeping.reset();
    } else if (!sleeping) {
      sleeping.emplace(static_cast<int>(team.size()));
      gathered.emplace(team);
    } else {
      gathered->follow();
    }
    last = now;
  }
}

}  // namespace

SleepingWaits::SleepingWaits(int computing)
    : extra_([this, computing](const std::stop_token& stop) {
        // Counted are the program's first thread and the members of all teams but their makers.
        const int missing = std::max(1, omp_get_num_procs() - computing + 1);
        std::atomic<int> members = 0;  // so that the region is not optimized away
#pragma omp parallel num_threads(missing + 1)
        ++members;
        // The team's threads stay, asleep, until this one ends.
        std::unique_lock lock(mutex_);
        ready_ = true;
        wake_.notify_all();
        wake_.wait(lock, stop, [] { return false; });
      }) {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return ready_; });
}

ConsiderateWaits::ConsiderateWaits(int computing) {
  if (computing < 2) return;
  std::vector<pid_t> team(static_cast<std::size_t>(computing));
#pragma omp parallel num_threads(computing)
  team[static_cast<std::size_t>(omp_get_thread_num())] = gettid();
  watcher_ = std::jthread(watch, std::move(team));
}

}  // namespace dino::train
