// AdamW, SGD and LARS over a flat parameter arena, with DINO's rules: per-tensor clipping, no decay
// on biases and 1-D tensors, last layer left alone while frozen (main_dino.py, utils.py).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "dino/model/param_arena.h"
#include "dino/recipe/recipe.h"
#include "dino/train/state_slot.h"

namespace dino::train {

class Optimizer {
 public:
  /** Borrows arena. `trainable[i]` says whether slice i is ever changed. Throws Error{Config} on an
   * unknown optimizer name. */
  Optimizer(const recipe::Optim& options, model::ParamArena& arena, std::vector<bool> trainable);

  /** L2 norm of all gradients; not finite if any gradient is not. Remembers each tensor's norm for
   * step(). */
  double measure_gradients();
  /** Clips each tensor to options.clip_grad and updates. Call measure_gradients() first. A frozen
   * last layer keeps its parameters *and* its moments: the reference drops those gradients. */
  void step(double lr, double weight_decay, bool last_layer_frozen);

  /** Moments and step counts, named "optimizer.*". */
  std::vector<StateSlot> slots() const;

 private:
  struct Group {
    bool trainable = true, decayed = true, last_layer = false;
  };
  /** What one step does to one slice. */
  struct Update {
    std::size_t slice = 0;
    double weight_decay = 0;
    double scale = 1;        ///< of the gradient: clipping
    std::int64_t steps = 0;  ///< updates the slice has had, this one included
  };
  void adamw(const std::vector<Update>& updates, double lr);
  void sgd(const Update& update, double lr);
  void lars(const Update& update, double lr);

  recipe::Optim options_;
  model::ParamArena& arena_;
  std::vector<Group> groups_;                   ///< one per slice
  std::vector<double> norms_;                   ///< of each slice's gradient
  torch::Tensor first_moment_, second_moment_;  ///< [n] as the arena; second only for adamw
  torch::Tensor steps_;                         ///< [slices] int64: updates each tensor has had
};

}  // namespace dino::train
