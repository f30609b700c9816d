// The training loop: batches in, steps, metrics, alarms, in-training k-NN, checkpoints; until the
// last step, a time limit or a stop request.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "dino/base/log.h"
#include "dino/data/loading/loader.h"
#include "dino/recipe/recipe.h"
#include "dino/run/checkpoint_store.h"
#include "dino/run/recorder.h"
#include "dino/train/learner.h"
#include "dino/train/metrics_window.h"
#include "dino/train/monitor.h"
#include "dino/train/progress.h"

namespace dino::train {

/** What the loop calls; empty functions are not called. All on the loop's thread. */
struct TrainerHooks {
  LogSink log;
  std::function<void(const Progress&)> progress;  ///< after every step
  std::function<std::optional<double>()> knn;     ///< top-1 in [0, 1] of the teacher as it is now
  std::function<void(const std::filesystem::path&)>
      save_teacher_weights;  ///< writes the teacher's backbone
};

/** Collapsed: an alarm with a remedy, in a run that has had none; nothing is saved. */
enum class Outcome { Finished, TimeLimit, Interrupted, Collapsed };

/** Borrows everything it is given. Thread-compatible. */
class Trainer {
 public:
  /** `start` is where to begin: a fresh run::CheckpointInfo, or that of the checkpoint already
   * loaded into `learner`; the loader's first_iteration must match it. */
  Trainer(const recipe::Recipe& recipe, Learner& learner, data::Loader& loader,
          run::Recorder& recorder, run::CheckpointInfo start, TrainerHooks hooks);

  /** Trains. The state is saved on every outcome but Collapsed; throws dino::Error if a step, the
   * data or the disk fails. */
  Outcome run(const std::stop_token& stop);
  /** Writes the state as it is. */
  void save();

  /** Counters as of now. */
  const run::CheckpointInfo& info() const { return info_; }
  /** Alarm names raised since construction. */
  const std::set<std::string>& alarms() const { return alarms_; }
  /** Why the outcome was Collapsed. */
  const std::optional<Alarm>& collapse() const { return collapse_; }

 private:
  using Clock = std::chrono::steady_clock;

  void step();
  bool knn_due() const;
  void evaluate_knn();
  void write_metrics();
  data::CropBatch next_batch();
  void record_bad_files();
  void report_progress(const StepReport& step, double seconds, double wait_seconds);
  double epoch() const;
  double session_seconds() const;

  const recipe::Recipe& recipe_;
  Learner& learner_;
  data::Loader& loader_;
  run::Recorder& recorder_;
  TrainerHooks hooks_;
  run::CheckpointInfo info_;
  std::int64_t total_iterations_;
  double earlier_seconds_;     // total_seconds of the sessions before this one
  std::vector<Metric> shown_;  // in the progress line; progress_.figures holds their values
  Monitor monitor_;
  MetricsWindow window_;
  Progress progress_;
  double step_seconds_ = 0;            // running mean
  std::int64_t steps_done_ = 0;        // since the start or the resume
  double seconds_in_steps_ = 0;        // of these
  std::int64_t saved_iteration_ = -1;  // what the newest checkpoint since the start holds
  std::set<std::string> alarms_;
  std::optional<Alarm> collapse_;
  Clock::time_point session_start_ = Clock::now(), last_save_ = Clock::now();
};

/** The figures that every run has, beside those of its learner, and when they mean trouble. */
std::vector<Metric> metrics_of(const Learner& learner);

}  // namespace dino::train
