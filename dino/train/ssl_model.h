// Student and teacher of one self-distillation run: backbones and named heads, the flat parameter
// arenas, and one training step.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dino/data/loading/batch.h"
#include "dino/format/tensor_record.h"
#include "dino/model/backbone.h"
#include "dino/model/dino_head.h"
#include "dino/model/param_arena.h"
#include "dino/recipe/recipe.h"
#include "dino/train/learner.h"

namespace dino::train {

/** One network: a backbone and its heads, by objective name ("dino"). Parameter names:
 * backbone.<official>, dino_head.<official>. */
struct Network {
  std::shared_ptr<torch::nn::Module> module;  ///< owner of both
  std::shared_ptr<model::Backbone> backbone;
  std::map<std::string, std::shared_ptr<model::DinoHead>> heads;
  model::ParamArena arena;
};

/** Everything that learns. Deterministic: same recipe, seed, batches and thread count give the same
 * bytes. Not thread-safe. */
class SslModel final : public Learner {
 public:
  /** `iterations_per_epoch` fixes the schedules. Teacher starts as an exact copy of the student. */
  SslModel(const recipe::Recipe& recipe, model::Precision precision,
           std::int64_t iterations_per_epoch);
  ~SslModel() override;

  StepSchedule schedule(std::int64_t iteration) const override;
  /** One optimizer step at `iteration` (0-based) on a batch: teacher targets, packed student
   * forward, losses, backward, clip, AdamW, EMA. */
  StepMetrics step(const data::CropBatch& batch, std::int64_t iteration) override;

  Network& student();
  Network& teacher();
  /** ln K of the objective, for alarms. */
  double uniform_entropy() const override;

  /** Every tensor of the training state (parameters, optimizer moments, centers, buffers, generator
   * state), named; bytes stay valid until the next step. */
  std::vector<format::TensorRecord> state() const override;
  /** Restores state(); throws Error{Config} listing missing, extra or misshapen tensors with the
   * likely cause (another architecture). */
  void load_state(const std::vector<format::TensorRecord>& tensors) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dino::train
