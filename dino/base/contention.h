// Whether other processes want the processors that this one computes on.
#pragma once
#include <filesystem>
#include <optional>

namespace dino {

/** Seconds that the threads listed in `tasks` have been ready to run without a processor, from the
 * start of each; nothing if the system does not count them. Includes the pauses that a CPU quota
 * imposes. */
std::optional<double> seconds_waited(const std::filesystem::path& tasks = "/proc/self/task");

/** Judges by how much time threads wait for processors. An alarm is raised at once and lowered
 * late: threads that sleep while others compute cost a few percent, threads that spin on a
 * contended processor most of the speed. */
class Contention {
 public:
  static constexpr double kMuch = 0.3;    ///< of one processor's time, waited by all threads
  static constexpr double kLittle = 0.1;  ///< likewise
  static constexpr int kCalmReadings = 4;

  /** Takes the time waited since the last reading, as a share of the time that passed. Returns
   * whether the processors are contended. */
  bool update(double waited);

 private:
  bool contended_ = false;
  int calm_ = 0;
};

}  // namespace dino
