#include "dino/train/considerate_waits.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <stop_token>

#include "dino/base/contention.h"

namespace dino::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kInterval = std::chrono::milliseconds(250);

void watch(const std::stop_token& stop, int computing) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  std::optional<SleepingWaits> sleeping;
  Contention contention;
  auto time = Clock::now();
  auto waited = seconds_waited();
  while (waited && !stop.stop_requested()) {
    wake.wait_for(lock, stop, kInterval, [] { return false; });
    const auto now = Clock::now();
    const auto waited_now = seconds_waited();
    if (!waited_now) return;
    // Less than before, where threads have ended.
    const double share =
        std::max(0.0, *waited_now - *waited) / std::chrono::duration<double>(now - time).count();
    const bool contended = contention.update(share);
    if (contended && !sleeping) sleeping.emplace(computing);
    if (!contended) sleeping.reset();
    time = now;
    waited = waited_now;
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
  if (computing > 1) watcher_ = std::jthread(watch, computing);
}

}  // namespace dino::train
