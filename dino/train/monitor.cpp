#include "dino/train/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "dino/base/error.h"

namespace dino::train {
namespace {

constexpr const char* kSkipped = "step_skipped";

double mean(const std::deque<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string message_of(const AlarmRule& rule, double value, std::int64_t steps) {
  return fmt::format(fmt::runtime(rule.message), fmt::arg("value", value),
                     fmt::arg("percent", 100 * value), fmt::arg("steps", steps));
}

}  // namespace

Monitor::Monitor(MonitorOptions options) : options_(std::move(options)) {
  for (const AlarmRule& rule : options_.rules) windows_[rule.metric];
}

std::vector<Alarm> Monitor::observe(std::int64_t iteration,
                                    const std::map<std::string, double>& figures, bool skipped) {
  if (skipped) return observe_skipped(iteration);
  skipped_in_a_row_ = 0;
  active_.erase(kSkipped);

  for (auto& [name, window] : windows_) {
    const auto figure = figures.find(name);
    if (figure == figures.end()) continue;
    window.push_back(figure->second);
    if (static_cast<std::int64_t>(window.size()) > options_.window) window.pop_front();
  }
  std::vector<Alarm> alarms;
  well_ = false;
  if (iteration < std::max(options_.grace, options_.iterations_per_epoch)) return alarms;
  well_ = true;
  for (const AlarmRule& rule : options_.rules) {
    const std::deque<double>& window = windows_.at(rule.metric);
    if (static_cast<std::int64_t>(window.size()) < options_.window) {
      well_ = well_ && rule.remedy.empty();
      continue;
    }
    const double value = mean(window);
    if (value < rule.low - rule.margin || value > rule.high + rule.margin) active_.erase(rule.name);
    if (value < rule.low || value > rule.high || active_.contains(rule.unless)) continue;
    well_ = well_ && rule.remedy.empty();
    raise(alarms, {rule.name, rule.level, message_of(rule, value, iteration), rule.remedy});
  }
  return alarms;
}

std::vector<Alarm> Monitor::observe_skipped(std::int64_t iteration) {
  if (++skipped_in_a_row_ >= options_.skipped_in_a_row)
    fail(ErrorKind::Config,
         "[train] loss or gradient not finite in {} steps in a row, up to step {}; resume from the "
         "last checkpoint with a lower optim.lr, a longer optim.warmup_epochs or --precision fp32",
         skipped_in_a_row_, iteration);
  std::vector<Alarm> alarms;
  raise(alarms,
        {kSkipped,
         LogLevel::Warning,
         fmt::format("step {} skipped: loss or gradient is not a finite number; nothing was "
                     "changed. If it recurs: lower optim.lr, lengthen optim.warmup_epochs, "
                     "or try --precision fp32",
                     iteration),
         {}});
  return alarms;
}

void Monitor::raise(std::vector<Alarm>& alarms, Alarm alarm) {
  if (active_.insert(alarm.name).second) alarms.push_back(std::move(alarm));
}

}  // namespace dino::train
