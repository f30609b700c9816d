// One training step, whatever its objectives: features of both networks, losses, backward,
// clipping, update, moving average (main_dino.py train_one_epoch).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "dino/base/schedule.h"
#include "dino/data/loading/batch.h"
#include "dino/objectives/registry.h"
#include "dino/optim/optimizer.h"
#include "dino/parallel/communicator.h"
#include "dino/train/gram_teacher.h"
#include "dino/train/learner.h"
#include "dino/train/micro_batch.h"
#include "dino/train/student_teacher.h"

namespace dino::train {

struct StepOptions {
  std::uint64_t seed = 0;  ///< of the recipe: what is drawn in a step follows from it
  int accumulate = 1;      ///< micro-batches that a batch is split into
  PixelScale pixels;       ///< for batches of bytes
};

/** Borrows everything it is given; without `gram` the teacher itself is
 * the Gram teacher. Needs curves "lr"
 * and "weight_decay", and "momentum" if the teacher follows the student. Not thread-safe. */
class Step {
 public:
  Step(StudentTeacher& networks, std::vector<objectives::Weighted>& objectives, GramTeacher* gram,
       optim::Optimizer& optimizer, const Curves& curves, parallel::Communicator& ranks,
       torch::Generator generator, StepOptions options);

  /** Takes step `iteration` on this rank's images. If the loss or a gradient is not finite on any
   * rank, nothing changes on all. Throws Error{Config} if `accumulate` does not divide the batch.
   */
  StepReport run(const data::CropBatch& batch, std::int64_t iteration);

 private:
  /** Features and losses of one micro-batch, and its share of the gradients. */
  void accumulate(const MicroBatch& batch, int part, const Scheduled& now, std::int64_t iteration,
                  std::vector<objectives::Scalar>& losses);
  objectives::Views teacher_views(const MicroBatch& batch, const torch::Tensor& globals,
                                  std::int64_t iteration);
  void add_student_views(const MicroBatch& batch, const torch::Tensor& globals,
                         objectives::Views& views);
  std::uint64_t seed_of(std::int64_t iteration) const;
  StepReport report(const std::vector<objectives::Scalar>& losses, std::int64_t iteration);

  StudentTeacher& networks_;
  std::vector<objectives::Weighted>& objectives_;
  objectives::Needs needs_;
  GramTeacher* gram_;
  optim::Optimizer& optimizer_;
  const Curves& curves_;
  parallel::Communicator& ranks_;
  torch::Generator generator_;
  StepOptions options_;
};

}  // namespace dino::train
