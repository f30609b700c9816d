// Threads that take turns on one of two contended processors.
#pragma once
#include <sched.h>
#include <sys/types.h>

#include <array>
#include <filesystem>
#include <vector>

namespace dino::train {

/** Keeps threads of this process on one processor of two, the one that others use less, and gives
 * them both back when it goes. Two threads that meet every millisecond lose more by waiting for two
 * turns, on two processors that others use, than by sharing one. Where there are not exactly two
 * processors it does nothing. Changes no result. */
class GatheredThreads {
 public:
  /** Reads from `stat` (in the form of /proc/stat) how busy the processors are. */
  explicit GatheredThreads(std::vector<pid_t> threads, std::filesystem::path stat = "/proc/stat");
  ~GatheredThreads();
  GatheredThreads(const GatheredThreads&) = delete;
  GatheredThreads& operator=(const GatheredThreads&) = delete;

  /** Moves to the other processor if it was freer since the last call. For regular calls. */
  void follow();

 private:
  struct Used {
    std::array<double, 2> processors{};  ///< seconds that each has been busy
    double own = 0;                      ///< of this process
  };
  Used used() const;
  void stay_on(int place) const;

  const std::vector<pid_t> threads_;
  const std::filesystem::path stat_;
  cpu_set_t all_{};
  std::array<int, 2> processors_{};  ///< their numbers
  bool possible_ = false;
  int place_ = 1;  ///< index into processors_
  Used last_;
};

}  // namespace dino::train
