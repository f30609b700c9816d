// The objectives by name. A file NAME.cpp in this folder defines make_NAME(); the build collects
// them, and a recipe chooses.
#pragma once
#include <memory>
#include <vector>

#include "dino/objectives/objective.h"
#include "dino/recipe/recipe.h"

namespace dino::objectives {

/** An objective and its share of the total loss. */
struct Weighted {
  std::unique_ptr<Objective> objective;
  Curve weight;
};

/** The recipe's objectives, in its order; without heads yet. `length` is what their weights change
 * over. Throws Error{Config} on a name that has no file here. */
std::vector<Weighted> make_objectives(const recipe::Recipe& recipe, const RunLength& length = {});

/** What all of them need. */
Needs needs_of(const std::vector<Weighted>& objectives);

}  // namespace dino::objectives
