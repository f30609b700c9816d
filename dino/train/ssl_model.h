// A recipe as something that learns: networks, objectives, optimizer and schedules, put together.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dino/model/backbone.h"
#include "dino/parallel/communicator.h"
#include "dino/recipe/recipe.h"
#include "dino/train/learner.h"
#include "dino/train/student_teacher.h"

namespace dino::train {

/** Deterministic: the same recipe, seed, batches and thread count give the same bytes. Not
 * thread-safe. */
class SslModel final : public Learner {
 public:
  /** `iterations_per_epoch` fixes the schedules. `ranks`, which is borrowed, joins the processes of
   * one run; without it the run is this process alone. */
  SslModel(const recipe::Recipe& recipe, model::Precision precision,
           std::int64_t iterations_per_epoch, parallel::Communicator* ranks = nullptr);
  ~SslModel() override;

  /** "lr", "weight_decay", "momentum", and what the objectives add. */
  Scheduled schedule(std::int64_t iteration) const override;
  /** One optimizer step at `iteration` (0-based); see Step::run(). */
  StepReport step(const data::CropBatch& batch, std::int64_t iteration) override;
  std::vector<Metric> metrics() const override;
  std::vector<AlarmRule> alarms() const override;

  Branch& student();
  /** Throws Error{Usage} if no objective looks at a teacher. */
  Branch& teacher();
  bool has_teacher() const;
  /** The backbone whose features are used and measured: an EMA teacher's, else the student's. */
  model::Backbone& for_use();

  /** Every tensor of the training state: parameters, buffers, moments, centers. They share memory
   * with the run, which goes on changing them. */
  std::vector<model::NamedTensor> state() const override;
  /** Restores state(). Throws Error{Config}, before anything is changed, that lists missing, extra
   * or misshapen tensors with the likely cause (another architecture). */
  void load_state(std::span<const format::TensorRecord> tensors) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dino::train
