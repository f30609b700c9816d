#include "dino/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "dino/base/error.h"
#include "dino/base/file.h"

namespace dino::train {
namespace {

/** Weight of the newest step in the running means of the progress line: about the last 50 steps. */
constexpr double kNewest = 0.02;

double seconds_between(std::chrono::steady_clock::time_point a,
                       std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/** A metrics line as TensorBoard scalars: every number but the axes. */
run::Scalars scalars_of(const nlohmann::json& line) {
  run::Scalars scalars;
  for (const auto& [name, value] : line.items())
    if (value.is_number() && name != "iteration")
      scalars.emplace_back("train/" + name, value.get<double>());
  return scalars;
}

}  // namespace

std::int64_t total_iterations(const recipe::Recipe& recipe, std::int64_t iterations_per_epoch) {
  return std::max<std::int64_t>(
      1, std::llround(recipe.train.epochs * static_cast<double>(iterations_per_epoch)));
}

Trainer::Trainer(const recipe::Recipe& recipe, Learner& learner, data::Loader& loader,
                 const run::RunDir& run, run::CheckpointInfo start, TrainerHooks hooks)
    : recipe_(recipe),
      learner_(learner),
      loader_(loader),
      layout_(run.layout()),
      hooks_(std::move(hooks)),
      info_(std::move(start)),
      total_iterations_(train::total_iterations(recipe, info_.iterations_per_epoch)),
      earlier_seconds_(info_.total_seconds),
      checkpoints_(layout_.checkpoints(), recipe.train.keep_last, hooks_.log),
      metrics_(layout_.metrics()),
      bad_files_(layout_.bad_files()),
      events_(layout_.root, wall_time(), info_.iteration),
      monitor_({.uniform_entropy = learner.uniform_entropy(),
                .iterations_per_epoch = info_.iterations_per_epoch}),
      window_(info_.metrics_window.get<MetricsWindow>()) {
  if (info_.last_knn >= 0) progress_.knn_top1 = info_.last_knn;
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
  const StepMetrics metrics = learner_.step(batch, info_.iteration);
  const auto done = Clock::now();
  const double seconds = seconds_between(start, done), wait_seconds = seconds_between(start, ready);

  ++info_.iteration;
  info_.images += batch.batch_size;
  info_.train_seconds += seconds;
  if (metrics.skipped) ++info_.skipped_steps;
  window_.add(metrics, seconds, wait_seconds, batch.batch_size);
  loader_.recycle(std::move(batch));

  for (const Alarm& alarm : monitor_.observe(info_.iteration, metrics, wait_seconds / seconds)) {
    alarms_.insert(alarm.name);
    log(hooks_.log, alarm.level, alarm.message);
  }
  if (info_.iteration % recipe_.train.log_every == 0 || info_.iteration == total_iterations_)
    write_metrics();
  report_progress(metrics, seconds, wait_seconds);
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
  append_metrics(
      {{"iteration", info_.iteration}, {"epoch", epoch()}, {"knn_top1", info_.last_knn}});
  if (info_.last_knn <= info_.best_knn) return;
  info_.best_knn = info_.last_knn;
  info_.best_iteration = info_.iteration;
  if (hooks_.save_teacher_weights) hooks_.save_teacher_weights(layout_.best_weights());
  save();
}

void Trainer::save() {
  if (saved_iteration_ == info_.iteration) return;
  info_.total_seconds = earlier_seconds_ + session_seconds();
  info_.metrics_window = window_;
  checkpoints_.save(info_, learner_.state());
  if (hooks_.save_teacher_weights) hooks_.save_teacher_weights(layout_.teacher_weights());
  saved_iteration_ = info_.iteration;
  last_save_ = Clock::now();
}

void Trainer::write_metrics() {
  nlohmann::json line = window_.means();
  // The schedule values are those of the last step of the window.
  const StepSchedule schedule = learner_.schedule(info_.iteration - 1);
  line.update({{"iteration", info_.iteration},
               {"epoch", epoch()},
               {"lr", schedule.lr},
               {"weight_decay", schedule.weight_decay},
               {"momentum", schedule.momentum},
               {"teacher_temperature", schedule.teacher_temperature},
               {"seconds", earlier_seconds_ + session_seconds()}});
  append_metrics(std::move(line));
  window_.clear();
}

void Trainer::append_metrics(nlohmann::json line) {
  metrics_.append(line.dump() + "\n");
  events_.write(wall_time(), info_.iteration, scalars_of(line));
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
  const std::vector<data::BadFile> found = loader_.take_bad();
  if (found.empty()) return;
  bad_files_.add(found);
  info_.bad_images = bad_files_.count();
}

void Trainer::report_progress(const StepMetrics& metrics, double seconds, double wait_seconds) {
  const auto follow = [](double& mean, double newest) {
    mean = mean == 0 ? newest : mean + kNewest * (newest - mean);
  };
  follow(step_seconds_, seconds);
  follow(progress_.data_wait_share, wait_seconds / seconds);
  if (!metrics.skipped) {
    follow(progress_.loss, metrics.loss);
    follow(progress_.teacher_entropy, metrics.teacher_entropy);
  }
  progress_.iteration = info_.iteration;
  progress_.total = total_iterations_;
  progress_.epoch = epoch();
  progress_.epochs = recipe_.train.epochs;
  progress_.uniform_entropy = learner_.uniform_entropy();
  progress_.images_per_second = recipe_.train.batch_size / step_seconds_;
  progress_.seconds_left = static_cast<double>(total_iterations_ - info_.iteration) * step_seconds_;
  if (recipe_.train.max_minutes > 0)
    progress_.seconds_left = std::min(
        progress_.seconds_left, std::max(60 * recipe_.train.max_minutes - session_seconds(), 0.0));
  progress_.bad_files = bad_files_.summary();
  if (hooks_.progress) hooks_.progress(progress_);
}

double Trainer::epoch() const {
  return static_cast<double>(info_.iteration) / static_cast<double>(info_.iterations_per_epoch);
}

double Trainer::session_seconds() const {
  return seconds_between(session_start_, Clock::now());
}

}  // namespace dino::train
