// Means of the steps since the last line of metrics.jsonl.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "dino/train/learner.h"

namespace dino::train {

/** Part of a checkpoint, so that the lines of a resumed run equal those of an uninterrupted one.
 * Not thread-safe. */
class MetricsWindow {
 public:
  /** seconds of the step, wait_seconds of them for its batch of `images`. */
  void add(const StepReport& step, double seconds, double wait_seconds, std::int64_t images);
  /** The means by name, speed and counts. The figures of a window without a finite step are null.
   */
  nlohmann::json means() const;
  void clear() { *this = {}; }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE_WITH_DEFAULT(MetricsWindow, sums_, steps_, skipped_, images_,
                                              seconds_, wait_seconds_)

 private:
  std::map<std::string, double> sums_;  // over the steps that were not skipped
  std::int64_t steps_ = 0, skipped_ = 0, images_ = 0;
  double seconds_ = 0, wait_seconds_ = 0;
};

}  // namespace dino::train
