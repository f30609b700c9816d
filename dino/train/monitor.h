// Watches a run for the ways self-distillation fails silently: collapse in either direction (Caron
// et al. 2021, section 5.3, figure 7), a loss that never leaves ln K, steps that are not finite, a
// loader that cannot keep up. Each is reported once per episode with what to change.
#pragma once
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "dino/base/log.h"
#include "dino/train/learner.h"

namespace dino::train {

struct MonitorOptions {
  double uniform_entropy = 0;  ///< ln K, nats
  std::int64_t iterations_per_epoch = 1;
  std::int64_t window = 100;  ///< steps a condition is averaged over
  std::int64_t grace =
      200;  ///< steps at the start (at least an epoch) in which ln K is where everybody begins
  int skipped_in_a_row = 10;  ///< not finite steps that end the run
};

struct Alarm {
  std::string name;  ///< "uniform_collapse", "one_hot_collapse", "constant_output", "loss_stuck",
                     ///< "step_skipped", "data_wait"
  LogLevel level = LogLevel::Alarm;
  std::string message;  ///< what is wrong, the figures, what to change
};

/** Thread-compatible. */
class Monitor {
 public:
  explicit Monitor(const MonitorOptions& options) : options_(options) {}

  /** Takes one step's figures; data_wait_share in [0, 1] is the share of the step spent waiting for
   * its batch. Returns the alarms whose episode begins here. Throws Error{Config} when too many
   * steps in a row were skipped. */
  std::vector<Alarm> observe(std::int64_t iteration, const StepMetrics& metrics,
                             double data_wait_share);

 private:
  struct Sample {
    double loss, entropy, kl, data_wait;
  };
  Sample window_mean() const;
  /** Adds the alarm if `holds` and no episode of it runs; an episode ends once `over` holds. */
  void update(std::vector<Alarm>& alarms, bool holds, bool over, Alarm alarm);

  MonitorOptions options_;
  std::deque<Sample> window_;
  std::set<std::string> active_;
  int skipped_in_a_row_ = 0;
};

}  // namespace dino::train
