// AdamW, SGD and LARS over a flat parameter arena, with the rules of param_groups.h and clipping by
// tensor or by group (main_dino.py, utils.py).
#pragma once
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "dino/model/param_arena.h"
#include "dino/model/tensor_bridge.h"
#include "dino/optim/param_groups.h"

namespace dino::optim {

enum class Algorithm {
  AdamW,  ///< torch.optim.AdamW
  Sgd,    ///< momentum 0.9; the decay is added to the clipped gradient
  Lars,   ///< momentum 0.9, trust coefficient 0.001; tensors of one dimension without either rule
};
/** "adamw", "sgd", "lars". Throws Error{Config} on another name. */
Algorithm algorithm_from_name(std::string_view name);

struct OptimizerOptions {
  Algorithm algorithm = Algorithm::AdamW;
  std::array<double, 2> betas = {0.9, 0.999};  ///< of AdamW
  double eps = 1e-8;                           ///< of AdamW
  double clip = 0;  ///< largest norm of a clip group's gradient; 0 = gradients are not clipped
};

/** Not thread-safe. */
class Optimizer {
 public:
  /** Borrows the arena, which has gradients; `groups` holds one entry for each of its slices. */
  Optimizer(const OptimizerOptions& options, model::ParamArena& arena,
            std::vector<ParamGroup> groups);

  /** L2 norm of the gradients of all tensors that are not frozen for ever; not finite if one of
   * them is not. Remembers the norms for step(). */
  double measure_gradients();
  /** Clips and updates, after measure_gradients(). A tensor that is frozen at `iteration` keeps its
   * values *and* its moments: the reference drops such gradients. */
  void step(double lr, double weight_decay, std::int64_t iteration);

  /** Moments and step counts, named "optimizer.*". */
  std::vector<model::NamedTensor> state() const;

 private:
  /** What one step does to one slice. */
  struct Update {
    std::size_t slice = 0;
    double lr = 0, weight_decay = 0;
    double scale = 1;        ///< of the gradient: clipping
    std::int64_t steps = 0;  ///< updates the slice has had, this one included
  };
  void adamw(const std::vector<Update>& updates);
  void sgd(const Update& update);
  void lars(const Update& update);

  OptimizerOptions options_;
  model::ParamArena& arena_;
  std::vector<ParamGroup> groups_;              ///< [slices]
  std::vector<double> norms_;                   ///< [slices] of the gradient of its clip group
  torch::Tensor first_moment_, second_moment_;  ///< [n] as the arena; the second only for AdamW
  torch::Tensor steps_;                         ///< [slices] int64, in host memory
};

}  // namespace dino::optim
