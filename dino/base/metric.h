// The figures of a training run by name, with what a reader needs to judge them. Whoever makes a
// figure describes it here once; progress line, metrics.jsonl, TensorBoard, alarms and report show
// what they find described.
#pragma once
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "dino/base/log.h"

namespace dino {

/** One figure. */
struct Metric {
  std::string name;       ///< its key in metrics.jsonl: "teacher_entropy"
  std::string title;      ///< of its curve in the report: "Teacher entropy"
  std::string unit = {};  ///< "nats", "%"; empty = none
  double scale = 1;       ///< factor between the stored and the shown value: 100 for "%"
  bool from_zero = true;  ///< the axis of its curve begins at 0
  std::string progress =
      {};  ///< its word in the progress line ("entropy"); empty = not shown there
  std::optional<double> reference = {};  ///< a value to compare it with, drawn into its curve
  std::string reference_label = {};      ///< "ln K = 6.24: uniform"
};

/** When a figure means trouble, and what helps. The alarm is raised once its mean over the last
 * steps lies in [low, high]; it can be raised again after the mean was more than `margin` outside.
 */
struct AlarmRule {
  std::string name;    ///< "uniform_collapse": in the log and in summary.json
  std::string metric;  ///< name of the figure
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  double margin = 0;
  /** What is wrong and what to change. {value} stands for the mean, {percent} for a hundred times
   * it, {steps} for the steps done, each with fmt's format specifications: "{value:.3f}". */
  std::string message;
  LogLevel level = LogLevel::Alarm;
  std::string unless = {};  ///< name of an earlier rule whose alarm explains this one
  /** What may end the trouble: factors by key of the recipe ("optim.lr": 0.5). The trainer applies
   * it once a run, and goes on from where all was well; empty = it only raises the alarm. */
  std::map<std::string, double> remedy = {};
};

}  // namespace dino
