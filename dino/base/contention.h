// Whether other processes want the processors that this one computes on.
#pragma once
#include <filesystem>
#include <optional>

namespace dino {

/** Seconds that the threads listed in `tasks` have been ready to run without a processor, from the
 * start of each; nothing if the system does not count them. Includes the pauses that a CPU quota
 * imposes. */
std::optional<double> seconds_waited(const std::filesystem::path& tasks = "/proc/self/task");

/** Seconds of processor time that all other processes have had, since some moment in the past, by
 * `stat` (in the form of /proc/stat); nothing if it cannot be read. */
std::optional<double> seconds_of_others(const std::filesystem::path& stat = "/proc/stat");

/** Judges whether other processes want the same processors: this one's threads wait for them, and
 * others run. (Threads that only wait for each other's turn are no contention.) What is seen while
 * waiting threads spin decides; while they sleep, others take what is left over and look busier
 * than they are. So contention is assumed for a while, then looked at again: after 4 s, and as long
 * as it lasts after twice the time before, up to 32 s. */
class Contention {
 public:
  /** Both as shares of one processor's time. */
  struct Load {
    double waited = 0;  ///< by this process's threads
    double others = 0;  ///< used by other processes
  };
  static constexpr Load kMuch = {.waited = 0.3, .others = 0.4};
  static constexpr int kShortest = 8, kLongest = 64;  ///< readings, two a second

  /** Takes the load since the last reading. Returns whether the processors are contended. */
  bool update(const Load& load);

 private:
  int patience_ = kShortest;
  int left_ = 0;  ///< readings until contention is looked at again
};

}  // namespace dino
