// The report of a run: pictures made with its weights, figures and curves from its files.
#pragma once
#include <string>
#include <vector>

#include "dino/base/log.h"
#include "dino/recipe/recipe.h"
#include "dino/run/run_dir.h"

namespace dino::cli {

/** Loads the run's teacher, makes the pictures on the recipe's images (knn.test if there is one,
 * else data.train) and writes report.html. */
void write_run_report(const run::RunLayout& layout, const recipe::Recipe& recipe,
                      const LogSink& log);

/** Commands to type after a run, with its own paths filled in. */
std::vector<std::string> next_commands(const run::RunLayout& layout, const recipe::Recipe& recipe);

}  // namespace dino::cli
