#include "dino/train/train.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <numeric>
#include <optional>
#include <set>

#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/data/loading/loader.h"
#include "dino/model/backbone_file.h"
#include "dino/objectives/registry.h"
#include "dino/recipe/training_images.h"
#include "dino/train/machine.h"
#include "dino/train/precision.h"
#include "dino/train/recipe_change.h"
#include "dino/train/ssl_model.h"
#include "dino/train/start_from.h"

namespace dino::train {
namespace {

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/** The entry of env.json that tells where this part of the run was computed. */
nlohmann::json session_of(const TrainRequest& request, const run::CheckpointInfo& start) {
  nlohmann::json session = describe_machine();
  session.update({{"command_line", request.command_line},
                  {"started", utc_time()},
                  {"first_iteration", start.iteration},
                  {"precision", start.precision}});
  return session;
}

/** Where the run begins: at 0, or as the checkpoint says, once it is known to fit. */
run::CheckpointInfo starting_point(const std::optional<run::Checkpoint>& checkpoint,
                                   const recipe::Recipe& recipe, const std::string& precision,
                                   std::int64_t iterations_per_epoch, const LogSink& log) {
  run::CheckpointInfo info;
  const int threads = at::get_num_threads();
  if (checkpoint) {
    info = checkpoint->info;
    if (info.iterations_per_epoch != iterations_per_epoch)
      fail(ErrorKind::Data,
           "[resume] the data set has changed: {} steps per epoch now, {} in the checkpoint; "
           "restore the images "
           "of {}, or start a new run",
           iterations_per_epoch, info.iterations_per_epoch, recipe::describe_source(recipe.data));
    if (info.precision != precision)
      dino::log(log, LogLevel::Warning,
                fmt::format("precision changes from {} to {}", info.precision, precision));
    if (info.threads != threads)
      dino::log(
          log, LogLevel::Warning,
          fmt::format(
              "{} threads instead of {}: results differ in the last digits from an uninterrupted "
              "run (--threads {} avoids it)",
              threads, info.threads, info.threads));
  }
  info.iterations_per_epoch = iterations_per_epoch;
  info.recipe = recipe::to_toml(recipe);
  info.precision = precision;
  info.threads = threads;
  return info;
}

/** What follows from a collapse: how the run goes on. */
struct Rescue {
  recipe::Recipe recipe;
  std::string changes;           ///< "optim.lr: 0.001 -> 0.0005, ..."
  std::set<std::string> alarms;  ///< raised until then
};

Rescue rescue_from(const recipe::Recipe& recipe, const Trainer& trainer) {
  recipe::Recipe changed = with_remedy(recipe, trainer.collapse()->remedy);
  std::string changes = fmt::format("{}", fmt::join(recipe_differences(recipe, changed), ", "));
  return {std::move(changed), std::move(changes), trainer.alarms()};
}

/** The text of a run's recipe: as it was given; after a collapse what its first lines say of it,
 * and the values that it goes on with. */
std::string text_of(const TrainRequest& request, const std::optional<Rescue>& rescue) {
  const std::string& given = request.recipe_text;
  if (!rescue) return given.empty() ? recipe::to_toml(request.recipe) : given;
  std::size_t end = 0;
  while (end < given.size() && given[end] == '#')
    end = std::min(given.size(), given.find('\n', end)) + 1;
  return given.substr(0, end) + recipe::to_toml(rescue->recipe);
}

/** The checkpoint to go on from: the newest, after a collapse the newest before it. */
std::optional<run::Checkpoint> find_checkpoint(const run::RunLayout& layout,
                                               const recipe::Recipe& recipe, bool collapsed,
                                               const LogSink& log) {
  const run::CheckpointStore store(layout.checkpoints(), recipe.train.keep_last, log);
  std::optional<run::Checkpoint> checkpoint = collapsed ? store.newest_well() : store.newest();
  if (checkpoint)
    check_resumable(
        recipe::parse_recipe(checkpoint->info.recipe, checkpoint->path.string(), layout.root),
        recipe, collapsed ? LogSink() : log);
  else if (!collapsed)
    dino::log(log, LogLevel::Info, "no checkpoint yet: starting at step 0");
  store.set_aside_after(checkpoint ? checkpoint->info.iteration : -1,
                        collapsed ? "collapsed" : "damaged");
  return checkpoint;
}

/** What a recipe has made that its objectives do not look at: the reader of the figures should not
 * take it for a part of the method. */
void warn_of_unread(const recipe::Recipe& recipe, const objectives::Needs& needs,
                    const LogSink& log) {
  if (recipe.masks.share > 0 && !needs.masks)
    dino::log(
        log, LogLevel::Warning,
        fmt::format("[masks] share = {} has no effect: no objective of this recipe reads masks",
                    recipe.masks.share));
  const bool gram_crops =
      recipe.crops.gram_size > 0 || std::ranges::any_of(recipe.mixes.gram_size, std::identity());
  if (gram_crops && !needs.gram)
    dino::log(
        log, LogLevel::Warning,
        "[crops] gram_size makes crops that no objective of this recipe reads: they cost time "
        "and change nothing; set it to 0");
}

nlohmann::json training_figures(const recipe::Recipe& recipe, const Trainer& trainer,
                                std::set<std::string> alarms) {
  alarms.insert(trainer.alarms().begin(), trainer.alarms().end());
  const run::CheckpointInfo& info = trainer.info();
  nlohmann::json figures = {
      {"name", recipe.name},
      {"iterations", info.iteration},
      {"epochs",
       static_cast<double>(info.iteration) / static_cast<double>(info.iterations_per_epoch)},
      {"images", info.images},
      {"seconds", info.total_seconds},
      {"train_seconds", info.train_seconds},
      {"images_per_second",
       info.train_seconds > 0 ? static_cast<double>(info.images) / info.train_seconds : 0},
      {"precision", info.precision},
      {"threads", info.threads},
      {"bad_images", info.bad_images},
      {"skipped_steps", info.skipped_steps},
      {"alarms", alarms}};
  if (!info.remedy.empty()) figures["remedy"] = info.remedy;
  if (info.best_knn >= 0)
    figures.update({{"in_training_knn_top1", info.last_knn},
                    {"best_in_training_knn_top1", info.best_knn},
                    {"best_iteration", info.best_iteration}});
  return figures;
}

/** The backbone of a run, and how its images are prepared. */
arch::Network network_of(const recipe::Recipe& recipe) {
  return {.architecture = recipe::architecture_of(recipe),
          .preprocess = {.image_size = recipe.crops.global_size,
                         .channels = recipe.data.channels,
                         .mean = recipe.crops.mean,
                         .std = recipe.crops.std,
                         .full_range = recipe.data.full_range,
                         .background = recipe.data.background,
                         .upright = recipe.data.upright,
                         .value_range = recipe.data.value_range}};
}

/** The run's directory, claimed by the one rank that writes. */
run::RunDir claim(const TrainRequest& request, const parallel::Communicator& ranks) {
  if (ranks.rank() != 0) return run::RunDir::join(request.directory);
  return request.resume ? run::RunDir::open(request.directory)
                        : run::RunDir::create(request.directory, request.force);
}

/** Says what the sources passed over, and what the recipe makes for nobody. */
void note_data(const recipe::TrainingImages& images, const recipe::Recipe& recipe,
               const objectives::Needs& needs, const LogSink& log) {
  if (images.dataset() != nullptr)
    for (const data::SourceNote& note : images.dataset()->notes())
      dino::log(log, LogLevel::Info, "data.train: " + data::describe(note));
  warn_of_unread(recipe, needs, log);
  for (const std::string& advice : recipe::value_advice(images, recipe))
    dino::log(log, LogLevel::Warning, advice);
}

data::Loader make_loader(const recipe::TrainingImages& images, const recipe::Recipe& recipe,
                         const objectives::Needs& needs, std::int64_t first_iteration,
                         const parallel::Communicator& ranks, const TrainHooks& hooks,
                         const std::stop_token& stop) {
  data::LoaderOptions options =
      recipe::loader_options(recipe, at::get_num_threads(), ranks.rank(), ranks.world());
  if (!needs.masks) options.masks = {};
  options.first_iteration = first_iteration;
  options.stop = stop;
  return images.stream() ? data::Loader(*images.stream(), recipe.crops, options, hooks.log)
                         : data::Loader(*images.dataset(), recipe.crops, options, hooks.log);
}

/** Trains until an outcome, or until a collapse that can be remedied: then `rescue` says how to go
 * on, by another call. `run` is claimed by the first. */
TrainResult train_once(const TrainRequest& request, parallel::Communicator& ranks,
                       std::optional<run::RunDir>& run, std::optional<Rescue>& rescue,
                       const TrainHooks& hooks, const std::stop_token& stop) {
  const recipe::Recipe recipe = rescue ? rescue->recipe : request.recipe;
  std::optional<run::Checkpoint> checkpoint;
  if (request.resume && !run) run.emplace(claim(request, ranks));
  if (run)
    checkpoint = find_checkpoint(run->layout(), recipe, rescue.has_value(), hooks.log);
  else
    run::RunDir::check_free(request.directory, request.force);
  // "auto" is decided once a run: a resumed one goes on as it began, whatever this machine prefers.
  const model::Precision precision =
      resolve_precision(checkpoint && recipe.train.precision == "auto" ? checkpoint->info.precision
                                                                       : recipe.train.precision);

  const recipe::TrainingImages images(recipe, recipe::index_folder(request.directory));
  const objectives::Needs needs = needs_of(objectives::make_objectives(recipe));
  data::Loader loader = make_loader(
      images, recipe, needs, checkpoint ? checkpoint->info.iteration : 0, ranks, hooks, stop);
  note_data(images, recipe, needs, hooks.log);
  run::CheckpointInfo start =
      starting_point(checkpoint, recipe, std::string(model::name_of(precision)),
                     loader.iterations_per_epoch(), hooks.log);
  const arch::Network network = network_of(recipe);
  start.network = arch::to_json(network);
  SslModel model(recipe, precision, start.iterations_per_epoch, &ranks);
  if (checkpoint) {
    model.load_state(checkpoint->file.tensors());
    checkpoint.reset();  // unmaps the file
  } else if (!recipe.start.from.empty()) {
    start_from(recipe, precision, model, hooks.log);
  }

  if (!run) run.emplace(claim(request, ranks));
  run::Recorder recorder(*run, start.iteration, recipe.train.keep_last, hooks.log);
  recorder.begin_session(text_of(request, rescue), session_of(request, start), metrics_of(model));

  model::Backbone& learned = model.for_use();
  TrainerHooks trainer_hooks;
  trainer_hooks.log = hooks.log;
  trainer_hooks.progress = hooks.progress;
  if (hooks.knn) trainer_hooks.knn = [&] { return hooks.knn(learned); };
  trainer_hooks.save_teacher_weights = [&](const std::filesystem::path& path) {
    model::save_backbone(path.string(), learned, network);
  };
  if (rescue) {
    start.remedy = rescue->changes;
    dino::log(hooks.log, LogLevel::Warning,
              fmt::format("going on from step {} with {}; this is done once a run "
                          "(train.rescue = false: never)",
                          start.iteration, start.remedy));
  }
  Trainer trainer(recipe, model, loader, recorder, start, std::move(trainer_hooks));
  if (rescue) trainer.save();
  const Outcome outcome = trainer.run(stop);
  if (outcome == Outcome::Collapsed) {
    rescue = rescue_from(recipe, trainer);
    return {outcome, {}, run->layout()};
  }

  TrainResult result{
      outcome, training_figures(recipe, trainer, rescue ? rescue->alarms : std::set<std::string>()),
      run->layout()};
  if (outcome == Outcome::Interrupted) return result;
  if (hooks.evaluate) {
    SslModel untrained(recipe, precision, start.iterations_per_epoch);
    const auto figures = hooks.evaluate(learned, untrained.for_use());
    if (!figures) {  // stopped: all is trained and saved, --resume evaluates again
      result.outcome = Outcome::Interrupted;
      return result;
    }
    result.summary.update(*figures);
  }
  recorder.save_summary(result.summary);
  if (hooks.report) hooks.report(run->layout());
  return result;
}

}  // namespace

TrainResult train(const TrainRequest& request, const TrainHooks& hooks,
                  const std::stop_token& stop) {
  parallel::Alone alone;
  std::optional<run::RunDir> run;
  std::optional<Rescue> rescue;
  for (;;) {
    TrainResult result = train_once(request, request.ranks != nullptr ? *request.ranks : alone, run,
                                    rescue, hooks, stop);
    if (result.outcome != Outcome::Collapsed) return result;
  }
}

}  // namespace dino::train
