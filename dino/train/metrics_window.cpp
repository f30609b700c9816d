#include "dino/train/metrics_window.h"

namespace dino::train {

void MetricsWindow::add(const StepReport& step, double seconds, double wait_seconds,
                        std::int64_t images) {
  seconds_ += seconds;
  wait_seconds_ += wait_seconds;
  images_ += images;
  if (step.skipped)
    ++skipped_;
  else
    ++steps_;
  for (const auto& [name, value] : step.figures) {
    double& sum = sums_[name];
    if (!step.skipped) sum += value;
  }
}

nlohmann::json MetricsWindow::means() const {
  nlohmann::json means = nlohmann::json::object();
  for (const auto& [name, sum] : sums_)
    means[name] = steps_ > 0 ? nlohmann::json(sum / static_cast<double>(steps_)) : nullptr;
  means["images_per_second"] = seconds_ > 0 ? static_cast<double>(images_) / seconds_ : 0;
  means["data_wait_share"] = seconds_ > 0 ? wait_seconds_ / seconds_ : 0;
  if (skipped_ > 0) means["skipped_steps"] = skipped_;
  return means;
}

}  // namespace dino::train
