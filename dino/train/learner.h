// What the training loop drives: SslModel, or a small stand-in in tests of the loop.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dino/data/loading/batch.h"
#include "dino/format/tensor_record.h"

namespace dino::train {

/** The scheduled values of one iteration (recipe curves evaluated once, logged as they are). */
struct StepSchedule {
  double lr = 0, weight_decay = 0, momentum = 0, teacher_temperature = 0;
  bool last_layer_frozen = false;
};

struct StepMetrics {
  double loss = 0;                       ///< total, as optimized
  std::map<std::string, double> losses;  ///< each objective's, unweighted: "dino"
  double teacher_entropy =
      0;  ///< mean entropy of the teacher's targets, nats; 0 = one-hot, ln K = uniform
  double teacher_student_kl =
      0;                     ///< mean KL(teacher || student), nats; both collapses drive it to 0
  double gradient_norm = 0;  ///< of all student parameters, before clipping
  bool skipped = false;      ///< loss or gradient was not finite: nothing was changed
};

/** The part of SslModel that a loop needs; see there. */
class Learner {
 public:
  virtual ~Learner() = default;
  virtual StepSchedule schedule(std::int64_t iteration) const = 0;
  virtual StepMetrics step(const data::CropBatch& batch, std::int64_t iteration) = 0;
  virtual double uniform_entropy() const = 0;
  virtual std::vector<format::TensorRecord> state() const = 0;
  virtual void load_state(const std::vector<format::TensorRecord>& tensors) = 0;
};

}  // namespace dino::train
