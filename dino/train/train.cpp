#include "dino/train/train.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <ctime>
#include <numeric>
#include <optional>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/data/loader.h"
#include "dino/model/weights.h"
#include "dino/recipe/training_images.h"
#include "dino/train/machine.h"
#include "dino/train/recipe_change.h"
#include "dino/train/ssl_model.h"

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

/** env.json lists the sessions of a run, so that a resumed run shows where each part was computed.
 */
void record_session(const RunLayout& layout, const TrainRequest& request,
                    const CheckpointInfo& start) {
  nlohmann::json session = describe_machine();
  session.update({{"command_line", request.command_line},
                  {"started", utc_time()},
                  {"first_iteration", start.iteration},
                  {"precision", start.precision}});
  nlohmann::json env = {{"sessions", nlohmann::json::array()}};
  if (std::filesystem::exists(layout.env())) {
    const auto earlier = nlohmann::json::parse(read_text_file(layout.env()), nullptr, false);
    if (earlier.is_object() && earlier.contains("sessions")) env = earlier;
  }
  env["sessions"].push_back(std::move(session));
  write_json_file(layout.env(), env);
}

/** Where the run begins: at 0, or as the checkpoint says, once it is known to fit. */
CheckpointInfo starting_point(const std::optional<Checkpoint>& checkpoint,
                              const recipe::Recipe& recipe, const std::string& precision,
                              std::int64_t iterations_per_epoch, const LogSink& log) {
  CheckpointInfo info;
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

std::optional<Checkpoint> find_checkpoint(const RunLayout& layout, const recipe::Recipe& recipe,
                                          const LogSink& log) {
  std::optional<Checkpoint> checkpoint =
      CheckpointStore(layout.checkpoints(), recipe.train.keep_last, log).newest();
  if (!checkpoint) {
    dino::log(log, LogLevel::Info, "no checkpoint yet: starting at step 0");
    return std::nullopt;
  }
  check_resumable(
      recipe::parse_recipe(checkpoint->info.recipe, checkpoint->path.string(), layout.root), recipe,
      log);
  return checkpoint;
}

nlohmann::json training_figures(const recipe::Recipe& recipe, const Trainer& trainer) {
  const CheckpointInfo& info = trainer.info();
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
      {"alarms", trainer.alarms()}};
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

}  // namespace

TrainResult train(const TrainRequest& request, const TrainHooks& hooks,
                  const std::stop_token& stop) {
  const recipe::Recipe& recipe = request.recipe;
  std::optional<RunDir> run;
  std::optional<Checkpoint> checkpoint;
  if (request.resume) {
    run.emplace(RunDir::open(request.directory));
    checkpoint = find_checkpoint(run->layout(), recipe, hooks.log);
  } else {
    RunDir::check_free(request.directory, request.force);
  }
  // "auto" is decided once a run: a resumed one goes on as it began, whatever this machine prefers.
  const model::Precision precision =
      resolve_precision(checkpoint && recipe.train.precision == "auto" ? checkpoint->info.precision
                                                                       : recipe.train.precision);

  const recipe::TrainingImages images(recipe, recipe::index_folder(request.directory));
  data::LoaderOptions options = recipe::loader_options(recipe);
  options.first_iteration = checkpoint ? checkpoint->info.iteration : 0;
  options.stop = stop;
  data::Loader loader = images.stream()
                            ? data::Loader(*images.stream(), recipe.crops, options, hooks.log)
                            : data::Loader(*images.dataset(), recipe.crops, options, hooks.log);
  for (const std::string& advice : recipe::value_advice(images, recipe))
    dino::log(hooks.log, LogLevel::Warning, advice);
  CheckpointInfo start = starting_point(checkpoint, recipe, precision_name(precision),
                                        loader.iterations_per_epoch(), hooks.log);
  const arch::Network network = network_of(recipe);
  start.network = arch::to_json(network);
  SslModel model(recipe, precision, start.iterations_per_epoch);
  if (checkpoint) {
    model.load_state(checkpoint->file.tensors());
    checkpoint.reset();  // unmaps the file
  }

  if (!run) run.emplace(RunDir::create(request.directory, request.force));
  const RunLayout layout = run->layout();
  write_file_atomically(layout.recipe(), recipe::to_toml(recipe));
  truncate_metrics(layout.metrics(), start.iteration);
  record_session(layout, request, start);

  model::Backbone& teacher = *model.teacher().backbone;
  TrainerHooks trainer_hooks;
  trainer_hooks.log = hooks.log;
  trainer_hooks.progress = hooks.progress;
  if (hooks.knn) trainer_hooks.knn = [&] { return hooks.knn(teacher); };
  trainer_hooks.save_teacher_weights = [&](const std::filesystem::path& path) {
    model::save_backbone(path.string(), teacher, network);
  };
  Trainer trainer(recipe, model, loader, *run, start, std::move(trainer_hooks));
  const Outcome outcome = trainer.run(stop);

  TrainResult result{outcome, training_figures(recipe, trainer), layout};
  if (outcome == Outcome::Interrupted) return result;
  if (hooks.evaluate) {
    SslModel untrained(recipe, precision, start.iterations_per_epoch);
    const auto figures = hooks.evaluate(teacher, *untrained.teacher().backbone);
    if (!figures) {  // stopped: all is trained and saved, --resume evaluates again
      result.outcome = Outcome::Interrupted;
      return result;
    }
    result.summary.update(*figures);
  }
  write_json_file(layout.summary(), result.summary);
  if (hooks.report) hooks.report(layout);
  return result;
}

}  // namespace dino::train
