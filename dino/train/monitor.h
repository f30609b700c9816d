// Watches a run by the rules of those who make its figures: collapse in either direction, a loss
// that never moves, a loader that cannot keep up (each objective's alarms()); and by one rule of
// its own, steps that are not finite. Each is reported once an episode, with what to change.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "dino/base/log.h"
#include "dino/base/metric.h"

namespace dino::train {

struct MonitorOptions {
  std::vector<AlarmRule> rules;
  std::int64_t iterations_per_epoch = 1;
  std::int64_t window = 100;  ///< steps that a rule's mean is over
  std::int64_t grace =
      200;  ///< steps at the start, at least an epoch, in which every run looks bad
  int skipped_in_a_row = 10;  ///< not finite steps that end the run
};

struct Alarm {
  std::string name;  ///< of the rule, or "step_skipped"
  LogLevel level = LogLevel::Alarm;
  std::string message;                        ///< what is wrong, the figures, what to change
  std::map<std::string, double> remedy = {};  ///< of the rule
};

/** Not thread-safe. */
class Monitor {
 public:
  explicit Monitor(MonitorOptions options);

  /** Takes one step's figures by name. Returns the alarms whose episode begins here. Throws
   * Error{Config} when too many steps in a row were skipped. */
  std::vector<Alarm> observe(std::int64_t iteration, const std::map<std::string, double>& figures,
                             bool skipped);
  /** Whether the rules that have a remedy look at full windows and are all content. */
  bool is_well() const { return well_; }

 private:
  std::vector<Alarm> observe_skipped(std::int64_t iteration);
  /** Adds the alarm if no episode of it runs. */
  void raise(std::vector<Alarm>& alarms, Alarm alarm);

  MonitorOptions options_;
  std::map<std::string, std::deque<double>> windows_;  // of the figures that rules look at
  std::set<std::string> active_;                       // alarms whose episode runs
  int skipped_in_a_row_ = 0;
  bool well_ = false;
};

}  // namespace dino::train
