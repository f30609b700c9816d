// The network that Gram anchoring holds the student's patches to (DINOv3, section 4.2), if it is
// not the EMA teacher as it is: a copy of it taken at a step and perhaps renewed, or weights from a
// file.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "dino/base/schedule.h"
#include "dino/model/backbone.h"
#include "dino/model/tensor_bridge.h"
#include "dino/recipe/recipe.h"

namespace dino::train {

/** Not thread-safe. */
class GramTeacher {
 public:
  /** For gram.from = "copy" or a file. Borrows `teacher`, the EMA teacher. Throws Error{Config} if
   * the file of gram.from holds a network for other images. */
  GramTeacher(const recipe::Recipe& recipe, const RunLength& length, model::Backbone& teacher,
              model::Precision precision);

  /** Begins step `iteration`: takes the copy if it is time. */
  void begin(std::int64_t iteration);
  /** Ends step `iteration`: renews the copy if it is time. */
  void end(std::int64_t iteration);

  /** Patch features [2 B, G, D] of its crops [2 B, C, H, W]. */
  torch::Tensor patches(const torch::Tensor& crops);

  /** A copy's tensors, "gram_teacher.*"; nothing for a file's, which are not this run's. */
  std::vector<model::NamedTensor> state() const;

 private:
  void copy();

  recipe::Gram options_;
  std::int64_t copy_at_ = 0, update_every_ = 0, first_update_ = 0;
  model::Backbone& ema_;
  std::shared_ptr<model::Backbone> network_;
};

}  // namespace dino::train
