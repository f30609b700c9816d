// The curves of [optim] over a run; objectives add their own.
#pragma once
#include "dino/base/schedule.h"
#include "dino/recipe/recipe.h"

namespace dino::recipe {

/** "lr", after the rule for the batch; "weight_decay"; "momentum", of the EMA teacher. */
Curves optimizer_curves(const Recipe& recipe, const RunLength& length);

}  // namespace dino::recipe
