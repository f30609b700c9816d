#include "dino/train/metrics_window.h"

namespace dino::train {

void MetricsWindow::add(const StepMetrics& metrics, double seconds, double wait_seconds,
                        std::int64_t images) {
  seconds_ += seconds;
  wait_seconds_ += wait_seconds;
  images_ += images;
  if (metrics.skipped) {
    ++skipped_;
    return;
  }
  ++steps_;
  sums_["loss"] += metrics.loss;
  sums_["teacher_entropy"] += metrics.teacher_entropy;
  sums_["teacher_student_kl"] += metrics.teacher_student_kl;
  sums_["gradient_norm"] += metrics.gradient_norm;
  for (const auto& [name, loss] : metrics.losses) sums_["loss_" + name] += loss;
}

nlohmann::json MetricsWindow::means() const {
  nlohmann::json means = nlohmann::json::object();
  for (const char* name : {"loss", "teacher_entropy", "teacher_student_kl", "gradient_norm"})
    means[name] = nullptr;
  for (const auto& [name, sum] : sums_) means[name] = sum / static_cast<double>(steps_);
  means["images_per_second"] = seconds_ > 0 ? static_cast<double>(images_) / seconds_ : 0;
  means["data_wait_share"] = seconds_ > 0 ? wait_seconds_ / seconds_ : 0;
  if (skipped_ > 0) means["skipped_steps"] = skipped_;
  return means;
}

}  // namespace dino::train
