#include "dino/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "dino/base/error.h"

namespace dino::train {
namespace {

/** Weight of the newest step in the running means of the progress line: about the last 50 steps. */
constexpr double kNewest = 0.02;

double seconds_between(std::chrono::steady_clock::time_point a,
                       std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

/** Alarms of the loop itself. */
AlarmRule waiting_for_data() {
  constexpr double kShare = 0.1;
  return {.name = "data_wait",
          .metric = "data_wait_share",
          .low = kShare,
          .margin = kShare / 2,
          .message =
              "{percent:.0f} % of the time is spent waiting for images. Raise data.workers, or "
              "store smaller images",
          .level = LogLevel::Warning};
}

std::vector<AlarmRule> alarms_of(const Learner& learner) {
  std::vector<AlarmRule> rules = learner.alarms();
  rules.push_back(waiting_for_data());
  return rules;
}

MetricsWindow window_of(const run::CheckpointInfo& info) try {
  return info.metrics_window.get<MetricsWindow>();
} catch (const nlohmann::json::exception& error) {
  fail(ErrorKind::Format, "[resume] the checkpoint of step {} has a damaged metrics_window: {}",
       info.iteration, error.what());
}

RunLength length_of(const recipe::Recipe& recipe, const run::CheckpointInfo& info) {
  return {recipe.train.epochs, info.iterations_per_epoch};
}

}  // namespace

std::vector<Metric> metrics_of(const Learner& learner) {
  std::vector<Metric> metrics = {{.name = "loss", .title = "Loss", .from_zero = false}};
  for (Metric& metric : learner.metrics()) metrics.push_back(std::move(metric));
  metrics.push_back({.name = "knn_top1",
                     .title = "k-NN on a held-out slice",
                     .unit = "%",
                     .scale = 100,
                     .from_zero = false});
  metrics.push_back({.name = "images_per_second", .title = "Images per second"});
  metrics.push_back({.name = "lr", .title = "Learning rate"});
  return metrics;
}

Trainer::Trainer(const recipe::Recipe& recipe, Learner& learner, data::Loader& loader,
                 run::Recorder& recorder, run::CheckpointInfo start, TrainerHooks hooks)
    : recipe_(recipe),
      learner_(learner),
      loader_(loader),
      recorder_(recorder),
      hooks_(std::move(hooks)),
      info_(std::move(start)),
      total_iterations_(length_of(recipe, info_).total()),
      earlier_seconds_(info_.total_seconds),
      shown_(learner.metrics()),
      monitor_({.rules = alarms_of(learner), .iterations_per_epoch = info_.iterations_per_epoch}),
      window_(window_of(info_)) {
  if (info_.last_knn >= 0) progress_.knn_top1 = info_.last_knn;
  std::erase_if(shown_, [](const Metric& metric) { return metric.progress.empty(); });
  for (const Metric& metric : shown_)
    progress_.figures.push_back({metric.progress, 0, metric.reference});
}

Outcome Trainer::run(const std::stop_token& stop) {
  Outcome outcome = Outcome::Finished;
  for (;;) {
    if (knn_due()) evaluate_knn();
    if (stop.stop_requested()) {
      outcome = Outcome::Interrupted;
      break;
    }
    if (info_.iteration >= total_iterations_) break;
    if (recipe_.train.max_minutes > 0 && session_seconds() >= 60 * recipe_.train.max_minutes) {
      outcome = Outcome::TimeLimit;
      break;
    }
    try {
      step();
    } catch (const data::Stopped&) {
      continue;  // nothing was done; the stop is seen above
    }
    if (collapse_) return Outcome::Collapsed;
    if (seconds_between(last_save_, Clock::now()) >= 60 * recipe_.train.save_minutes) save();
  }
  save();
  return outcome;
}

void Trainer::step() {
  const auto start = Clock::now();
  data::CropBatch batch = next_batch();
  const auto ready = Clock::now();
  DINO_ASSERT(batch.iteration == info_.iteration);
  StepReport report = learner_.step(batch, info_.iteration);
  const auto done = Clock::now();
  const double seconds = seconds_between(start, done), wait_seconds = seconds_between(start, ready);

  ++info_.iteration;
  info_.images += batch.batch_size;
  info_.train_seconds += seconds;
  if (report.skipped) ++info_.skipped_steps;
  window_.add(report, seconds, wait_seconds, batch.batch_size);
  loader_.recycle(std::move(batch));

  report.figures["data_wait_share"] = wait_seconds / seconds;
  for (const Alarm& alarm : monitor_.observe(info_.iteration, report.figures, report.skipped)) {
    alarms_.insert(alarm.name);
    log(hooks_.log, alarm.level, alarm.message);
    if (recipe_.train.rescue && info_.remedy.empty() && !alarm.remedy.empty() && !collapse_)
      collapse_ = alarm;
  }
  if (info_.iteration % recipe_.train.log_every == 0 || info_.iteration == total_iterations_)
    write_metrics();
  report_progress(report, seconds, wait_seconds);
}

bool Trainer::knn_due() const {
  if (!hooks_.knn || recipe_.knn.every_epochs < 1 || info_.iteration == 0) return false;
  if (info_.knn_iteration == info_.iteration) return false;  // resumed right after it
  return info_.iteration % (info_.iterations_per_epoch * recipe_.knn.every_epochs) == 0;
}

void Trainer::evaluate_knn() {
  const std::optional<double> top1 = hooks_.knn();
  if (!top1) return;  // stopped; it is due again after a resume
  info_.last_knn = *top1;
  info_.knn_iteration = info_.iteration;
  progress_.knn_top1 = info_.last_knn;
  saved_iteration_ = -1;  // the figure belongs to the state
  recorder_.append_metrics(
      info_.iteration,
      {{"iteration", info_.iteration}, {"epoch", epoch()}, {"knn_top1", info_.last_knn}});
  if (info_.last_knn <= info_.best_knn) return;
  info_.best_knn = info_.last_knn;
  info_.best_iteration = info_.iteration;
  recorder_.save_by(hooks_.save_teacher_weights, recorder_.layout().best_weights());
  save();
}

void Trainer::save() {
  if (saved_iteration_ == info_.iteration) return;
  info_.total_seconds = earlier_seconds_ + session_seconds();
  info_.metrics_window = window_;
  info_.well = monitor_.is_well();
  recorder_.save_checkpoint(info_, model::to_records(learner_.state()));
  recorder_.save_by(hooks_.save_teacher_weights, recorder_.layout().teacher_weights());
  saved_iteration_ = info_.iteration;
  last_save_ = Clock::now();
}

void Trainer::write_metrics() {
  nlohmann::json line = window_.means();
  // The scheduled values are those of the last step of the window.
  for (const auto& [name, value] : learner_.schedule(info_.iteration - 1)) line[name] = value;
  line.update({{"iteration", info_.iteration},
               {"epoch", epoch()},
               {"seconds", earlier_seconds_ + session_seconds()}});
  recorder_.append_metrics(info_.iteration, line);
  window_.clear();
}

/** Also where too many bad files end the run, they are listed first. */
data::CropBatch Trainer::next_batch() {
  try {
    data::CropBatch batch = loader_.next();
    record_bad_files();
    return batch;
  } catch (const Error&) {
    record_bad_files();
    throw;
  }
}

void Trainer::record_bad_files() {
  recorder_.add_bad_files(loader_.take_bad());
  info_.bad_images = recorder_.bad_count();
}

void Trainer::report_progress(const StepReport& report, double seconds, double wait_seconds) {
  const auto follow = [](double& mean, double newest) {
    mean = mean == 0 ? newest : mean + kNewest * (newest - mean);
  };
  follow(step_seconds_, seconds);
  follow(progress_.data_wait_share, wait_seconds / seconds);
  if (!report.skipped) {
    follow(progress_.loss, report.figures.at("loss"));
    for (std::size_t i = 0; i < shown_.size(); ++i) {
      const auto found = report.figures.find(shown_[i].name);
      if (found != report.figures.end())
        follow(progress_.figures[i].value, shown_[i].scale * found->second);
    }
  }
  progress_.iteration = info_.iteration;
  progress_.total = total_iterations_;
  progress_.epoch = epoch();
  progress_.epochs = recipe_.train.epochs;
  progress_.images_per_second = recipe_.train.batch_size / step_seconds_;
  ++steps_done_;
  seconds_in_steps_ += seconds;
  // k-NN and checkpoints come at regular intervals, so they take from what is left what they took
  // from what is done.
  const double between_steps =
      (session_seconds() - seconds_in_steps_) / static_cast<double>(steps_done_);
  progress_.seconds_left =
      static_cast<double>(total_iterations_ - info_.iteration) * (step_seconds_ + between_steps);
  if (recipe_.train.max_minutes > 0)
    progress_.seconds_left = std::min(
        progress_.seconds_left, std::max(60 * recipe_.train.max_minutes - session_seconds(), 0.0));
  progress_.bad_files = recorder_.bad_summary();
  if (hooks_.progress) hooks_.progress(progress_);
}

double Trainer::epoch() const {
  return static_cast<double>(info_.iteration) / static_cast<double>(info_.iterations_per_epoch);
}

double Trainer::session_seconds() const {
  return seconds_between(session_start_, Clock::now());
}

}  // namespace dino::train
