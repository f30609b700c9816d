// How long a training step takes on this machine, measured on noise: no data set is read.
#pragma once
#include <string>
#include <vector>

#include "dino/model/backbone.h"
#include "dino/recipe/recipe.h"

namespace dino::train {

/** How many steps to time. */
struct StepTrial {
  int warmup = 3;        ///< steps before, not counted
  int steps = 20;        ///< at most
  double seconds = 1e9;  ///< stop once all steps took so long together; at least one is timed
};

/** Seconds of each timed step. Throws Error{Config} if the loss on noise is not finite. */
std::vector<double> time_steps(const recipe::Recipe& recipe, model::Precision precision,
                               const StepTrial& trial);

}  // namespace dino::train
