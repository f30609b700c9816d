// A learner without a network, for tests of the loop.
#pragma once
#include <torch/types.h>

#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "dino/train/learner.h"

namespace dino::test {

/** Its state is a running digest of the pixels it saw, so it shows a step that was lost, repeated
 * or reordered. */
class DigestLearner final : public train::Learner {
 public:
  std::function<bool(std::int64_t iteration)> is_bad;  ///< steps that are not finite
  std::function<void(std::int64_t iteration)> on_step;

  Scheduled schedule(std::int64_t iteration) const override {
    return {{"lr", 1.0 / static_cast<double>(1 + iteration)}};
  }
  train::StepReport step(const data::CropBatch& batch, std::int64_t iteration) override {
    if (on_step) on_step(iteration);
    if (is_bad && is_bad(iteration))
      return {{{"loss", std::numeric_limits<double>::quiet_NaN()}}, /*skipped=*/true};
    for (std::size_t i = 0; i < digest_.size(); ++i)
      digest_[i] = 0.9F * digest_[i] + batch.globals.data()[i * 31 % batch.globals.size()];
    const double first = std::abs(static_cast<double>(digest_[0]));
    return {{{"loss", first}, {"brightness", 1 + first}}};
  }
  std::vector<Metric> metrics() const override {
    return {{.name = "brightness", .title = "Brightness", .progress = "bright", .reference = 2}};
  }
  std::vector<AlarmRule> alarms() const override {
    return {{.name = "dark", .metric = "brightness", .high = 0.5, .message = "dark ({value:.1f})"}};
  }
  std::vector<model::NamedTensor> state() const override {
    return {{"digest", torch::from_blob(const_cast<float*>(digest_.data()), {64})}};
  }
  void load_state(std::span<const format::TensorRecord> tensors) override {
    model::restore(state(), tensors);
  }
  const std::vector<float>& digest() const { return digest_; }

 private:
  std::vector<float> digest_ = std::vector<float>(64);
};

}  // namespace dino::test
