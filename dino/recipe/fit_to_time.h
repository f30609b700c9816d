// How many epochs fit into a time, at a speed.
#pragma once
#include <cstdint>

#include "dino/recipe/recipe.h"

namespace dino::recipe {

/** Seconds of the whole machine per image. */
struct Speed {
  double step = 0.01;   ///< in a training step
  double load = 0.001;  ///< to read, decode and crop it
};

/** Where the time of a run goes, s. */
struct TimePlan {
  double training = 0;    ///< steps, and the loading that they wait for
  double evaluation = 0;  ///< k-NN in training and at its end, and the report
};

/** Sets train.epochs, the warm-ups that are shares of it, train.max_minutes and how often k-NN is
 * measured, so that a run over `images` images ends within `seconds`. At least one step is trained
 * and one figure measured, however short the time. */
TimePlan fit_to_time(std::int64_t images, const Speed& speed, double seconds, Recipe& recipe);

/** The steps of a run. */
double steps_of(std::int64_t images, const Recipe& recipe);

}  // namespace dino::recipe
