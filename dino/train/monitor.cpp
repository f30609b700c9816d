#include "dino/train/monitor.h"

#include <algorithm>
#include <cmath>

#include "dino/base/error.h"

namespace dino::train {
namespace {

// Shares of ln K. An untrained head already gives targets about one nat below ln K, a healthy
// teacher stays well inside both bounds.
constexpr double kUniform = 0.99, kOneHot = 0.01, kConstant = 0.001, kStuck = 0.005;
// An episode ends only well outside its bound, so that a figure that wavers around it is one
// episode, not many.
constexpr double kEndFactor = 2;
constexpr double kDataWait = 0.1;

}  // namespace

std::vector<Alarm> Monitor::observe(std::int64_t iteration, const StepMetrics& metrics,
                                    double data_wait_share) {
  std::vector<Alarm> alarms;
  if (metrics.skipped) {
    ++skipped_in_a_row_;
    update(
        alarms, true, false,
        {"step_skipped", LogLevel::Warning,
         fmt::format(
             "step {} skipped: loss or gradient is not a finite number; nothing was changed. If it "
             "recurs: lower optim.lr, lengthen optim.warmup_epochs, or try --precision fp32",
             iteration)});
    if (skipped_in_a_row_ >= options_.skipped_in_a_row)
      fail(ErrorKind::Config,
           "[train] loss or gradient not finite in {} steps in a row, up to step {}; resume from "
           "the last "
           "checkpoint with a lower optim.lr, a longer optim.warmup_epochs or --precision fp32",
           skipped_in_a_row_, iteration);
    return alarms;
  }
  skipped_in_a_row_ = 0;
  active_.erase("step_skipped");

  window_.push_back(
      {metrics.loss, metrics.teacher_entropy, metrics.teacher_student_kl, data_wait_share});
  if (static_cast<std::int64_t>(window_.size()) > options_.window) window_.pop_front();
  const bool settled = iteration >= std::max(options_.grace, options_.iterations_per_epoch);
  if (!settled || static_cast<std::int64_t>(window_.size()) < options_.window) return alarms;

  const double ln_k = options_.uniform_entropy;
  const Sample mean = window_mean();
  const double below_uniform = ln_k - mean.entropy, off_ln_k = std::abs(mean.loss - ln_k);
  const double uniform_gap = (1 - kUniform) * ln_k;
  update(alarms, below_uniform<uniform_gap, below_uniform> kEndFactor * uniform_gap,
         {"uniform_collapse", LogLevel::Alarm,
          fmt::format(
              "collapse: the teacher spreads every image evenly over all prototypes (entropy "
              "{:.3f} of ln K = "
              "{:.3f}). Lower dino.teacher_temperature (0.04), or warm it up over more epochs, and "
              "lower optim.lr",
              mean.entropy, ln_k)});
  update(alarms, mean.entropy<kOneHot * ln_k, mean.entropy> kEndFactor * kOneHot * ln_k,
         {"one_hot_collapse", LogLevel::Alarm,
          fmt::format(
              "collapse: the teacher puts each image on a single prototype (entropy {:.4f}; ln K = "
              "{:.3f}). "
              "Raise dino.teacher_temperature (0.04 to 0.07), lower dino.center_momentum (0.9), or "
              "lower optim.lr",
              mean.entropy, ln_k)});
  update(alarms, mean.kl<kConstant * ln_k, mean.kl> kEndFactor * kConstant * ln_k,
         {"constant_output", LogLevel::Alarm,
          fmt::format("collapse: student and teacher agree on every crop (KL {:.5f}), so the "
                      "output hardly depends on "
                      "the image. Lower optim.lr, check that the crops differ (dino show crops)",
                      mean.kl)});
  // A uniform teacher also has its loss at ln K; one alarm about one fact.
  const bool explained = active_.contains("uniform_collapse");
  update(alarms, !explained && off_ln_k<kStuck * ln_k, off_ln_k> kEndFactor * kStuck * ln_k,
         {"loss_stuck", LogLevel::Alarm,
          fmt::format(
              "the loss is stuck at ln K = {:.3f} after {} steps: nothing is being learned. Raise "
              "optim.lr, shorten optim.warmup_epochs or optim.freeze_last_layer_epochs, check the "
              "crops (dino show crops)",
              ln_k, iteration)});
  update(alarms, mean.data_wait > kDataWait, mean.data_wait < kDataWait / kEndFactor,
         {"data_wait", LogLevel::Warning,
          fmt::format("{:.0f} % of the time is spent waiting for images. Raise data.workers, or "
                      "store smaller images",
                      100 * mean.data_wait)});
  return alarms;
}

Monitor::Sample Monitor::window_mean() const {
  Sample sum{};
  for (const Sample& sample : window_) {
    sum.loss += sample.loss;
    sum.entropy += sample.entropy;
    sum.kl += sample.kl;
    sum.data_wait += sample.data_wait;
  }
  const auto n = static_cast<double>(window_.size());
  return {sum.loss / n, sum.entropy / n, sum.kl / n, sum.data_wait / n};
}

void Monitor::update(std::vector<Alarm>& alarms, bool holds, bool over, Alarm alarm) {
  if (over) active_.erase(alarm.name);
  if (holds && active_.insert(alarm.name).second) alarms.push_back(std::move(alarm));
}

}  // namespace dino::train
