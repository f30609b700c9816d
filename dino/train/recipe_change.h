// What may change between the sessions of one run, and what may not.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "dino/base/log.h"
#include "dino/recipe/recipe.h"

namespace dino::train {

/** Keys whose values differ, as "optim.lr: 0.001 -> 0.002". */
std::vector<std::string> recipe_differences(const recipe::Recipe& before,
                                            const recipe::Recipe& after);

/** The recipe with the value of each key multiplied: an alarm's remedy. Keys that it does not have
 * are an assertion. */
recipe::Recipe with_remedy(const recipe::Recipe& recipe,
                           const std::map<std::string, double>& factors);

/** Throws Error{Config} naming the keys if `after` describes another architecture, optimizer or
 * data layout than the state of `before` can fill; warns of other changes, which end the equality
 * with an uninterrupted run. */
void check_resumable(const recipe::Recipe& before, const recipe::Recipe& after, const LogSink& log);

}  // namespace dino::train
