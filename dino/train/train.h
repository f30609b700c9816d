// One training run from recipe to summary: opens the data, builds student and teacher, claims the
// run directory or finds the checkpoint to continue from, trains, and leaves weights, figures and a
// report.
#pragma once
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "dino/base/log.h"
#include "dino/model/backbone.h"
#include "dino/parallel/communicator.h"
#include "dino/recipe/recipe.h"
#include "dino/run/run_dir.h"
#include "dino/train/progress.h"
#include "dino/train/trainer.h"

namespace dino::train {

struct TrainRequest {
  recipe::Recipe recipe;
  std::string recipe_text;  ///< what recipe.toml of the run holds until a collapse changes the
                            ///< recipe; empty = to_toml(recipe)
  std::filesystem::path directory;
  bool resume = false;                      ///< continue the run in `directory`
  bool force = false;                       ///< replace a run in `directory`
  std::string command_line;                 ///< for env.json
  parallel::Communicator* ranks = nullptr;  ///< the processes of this run; nullptr = only this one
};

/** What a run asks of modules that training does not know (evaluation, pictures); empty functions
 * are not called. Of several ranks only the one that evaluates and reports is given them. */
struct TrainHooks {
  LogSink log;
  std::function<void(const Progress&)> progress;
  /** In-training k-NN of the teacher: top-1 in [0, 1]; nothing if it was stopped. */
  std::function<std::optional<double>(model::Backbone& teacher)> knn;
  /** Final figures (an object) for summary.json; `untrained` is the network as it was before the
   * first step. Nothing if they were stopped. */
  std::function<std::optional<nlohmann::json>(model::Backbone& teacher, model::Backbone& untrained)>
      evaluate;
  /** Writes report.html; all other files of the run are there. */
  std::function<void(const run::RunLayout&)> report;
};

struct TrainResult {
  Outcome outcome = Outcome::Finished;
  nlohmann::json summary;  ///< as in summary.json; written unless interrupted
  run::RunLayout layout;
};

/** Trains to the end, the time limit or the stop request. After a collapse it goes back once to the
 * last checkpoint at which all was well, or to the start, with what the alarm's remedy changes in
 * the recipe; the run's own recipe.toml then says so. Throws dino::Error; a run directory is
 * made only once data and model are known to be good, and what is in it then can be resumed. */
TrainResult train(const TrainRequest& request, const TrainHooks& hooks,
                  const std::stop_token& stop);

}  // namespace dino::train
