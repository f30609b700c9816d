// How LibTorch's threads wait for each other: spinning on processors that nobody else wants,
// sleeping where others want them too.
#pragma once
#include <condition_variable>
#include <mutex>
#include <thread>

namespace dino::train {

/** While one lives, threads of this process that wait for each other in OpenMP regions sleep after
 * 100 looks; otherwise they spin for 300,000 (milliseconds), which is faster on idle processors,
 * but keeps the thread they wait for off contended ones. Changes no result.
 *
 * OpenMP's settings are read only as a program is loaded. But its library (GCC's) promises not to
 * spin while it manages more threads than there are processors, so this adds as many as it takes,
 * which sleep: one, if a thread computes on each processor. */
class SleepingWaits {
 public:
  /** `computing` threads compute (at::get_num_threads). */
  explicit SleepingWaits(int computing);
  SleepingWaits(const SleepingWaits&) = delete;
  SleepingWaits& operator=(const SleepingWaits&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool ready_ = false;
  std::jthread extra_;  // last: it uses the members above
};

/** While one lives, SleepingWaits come and go with contention for the processors
 * (base/contention.h), judged twice a second. For programs: one for the whole process, made by the
 * thread that computes. */
class ConsiderateWaits {
 public:
  /** `computing` threads compute (at::get_num_threads); a single one waits for nobody. */
  explicit ConsiderateWaits(int computing);
  ConsiderateWaits(const ConsiderateWaits&) = delete;
  ConsiderateWaits& operator=(const ConsiderateWaits&) = delete;

 private:
  std::jthread watcher_;
};

}  // namespace dino::train
