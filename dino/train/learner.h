// What the training loop drives: SslModel, or a small stand-in in tests of the loop.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "dino/base/metric.h"
#include "dino/base/schedule.h"
#include "dino/data/loading/batch.h"
#include "dino/format/tensor_record.h"
#include "dino/model/tensor_bridge.h"

namespace dino::train {

/** What one step came to. */
struct StepReport {
  /** By name: "loss" (the weighted sum that was minimized), "loss_<objective>" (unweighted),
   * "gradient_norm" (before clipping), and what the objectives report. Means over the batch. */
  std::map<std::string, double> figures;
  bool skipped = false;  ///< loss or gradient was not finite: nothing was changed
};

/** The part of SslModel that a loop needs; see there. */
class Learner {
 public:
  virtual ~Learner() = default;
  virtual Scheduled schedule(std::int64_t iteration) const = 0;
  virtual StepReport step(const data::CropBatch& batch, std::int64_t iteration) = 0;
  /** Descriptions of those figures that a reader should see, and when they mean trouble. */
  virtual std::vector<Metric> metrics() const = 0;
  virtual std::vector<AlarmRule> alarms() const = 0;
  virtual std::vector<model::NamedTensor> state() const = 0;
  virtual void load_state(std::span<const format::TensorRecord> tensors) = 0;
};

}  // namespace dino::train
