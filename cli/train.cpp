// dino train: pretrains from a recipe, or continues a run. What needs LibTorch is in
// torch/train.cpp.
#include <memory>

#include "cli/commands.h"
#include "cli/folder_recipe.h"
#include "cli/recipe_flags.h"
#include "cli/shrunk_copy.h"
#include "cli/torch_actions.h"
#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/recipe/plan.h"
#include "dino/recipe/training_images.h"
#include "dino/run/run_dir.h"

namespace dino::cli {
namespace {

struct TrainFlags {
  RecipeFlags recipe;
  std::string folder, out, resume;
  double minutes = 30;
  bool force = false, plan = false;
  const CLI::Option* minutes_given = nullptr;

  bool chooses() const { return !folder.empty() && recipe.path.empty(); }
};

void check(const TrainFlags& flags) {
  if (!flags.resume.empty() && (!flags.out.empty() || flags.force || !flags.folder.empty()))
    fail(ErrorKind::Usage,
         "--resume continues a run in its own directory; leave out the folder, --out and --force");
  if (flags.folder.ends_with(".toml"))
    fail(ErrorKind::Usage, "{} is a recipe, not images: dino train --recipe {}", flags.folder,
         flags.folder);
  if (flags.minutes_given->count() > 0 && !flags.chooses())
    fail(ErrorKind::Usage,
         "--minutes goes with a folder, for which a recipe is chosen; with a recipe set "
         "train.epochs or train.max_minutes (--set train.epochs=50)");
  const bool complete = !flags.recipe.path.empty() && (!flags.out.empty() || flags.plan);
  if (flags.resume.empty() && flags.folder.empty() && !complete)
    fail(ErrorKind::Usage,
         "name a folder of images: dino train FOLDER; or a recipe and an output directory: dino "
         "train --recipe FILE --out DIR; or a run to continue: dino train --resume DIR");
}

/** The recipe of a run that is not chosen for a folder: its own, or the one that is named. */
void load_recipe_of(const TrainFlags& flags, TrainRun& run) {
  RecipeFlags recipe = flags.recipe;
  if (!flags.folder.empty())
    recipe.set.insert(recipe.set.begin(), "data.train=" + absolute_source(flags.folder));
  if (run.resume && recipe.path.empty()) {
    const run::RunLayout layout{run.directory};
    if (!layout.holds_run())
      fail(ErrorKind::Usage, "{} holds no run to resume", run.directory.string());
    recipe.path = layout.recipe().string();
    if (recipe.changes_nothing()) run.recipe_text = read_text_file(layout.recipe());
  }
  run.recipe = load(recipe);
}

/** The run that the flags ask for. Throws Error{Usage}, or the errors of its recipe or images. */
TrainRun run_of(const TrainFlags& flags, Context& context) {
  check(flags);
  TrainRun run;
  run.resume = !flags.resume.empty();
  run.force = flags.force;
  run.directory = run.resume           ? std::filesystem::path(flags.resume)
                  : !flags.out.empty() ? std::filesystem::path(flags.out)
                                       : run_folder(flags.folder);
  if (!run.resume) run::RunDir::check_free(run.directory, run.force);
  if (!flags.chooses()) {
    load_recipe_of(flags, run);
    return run;
  }
  context.console.message(LogLevel::Info, fmt::format("looking at {} ...", flags.folder));
  const std::filesystem::path indices = recipe::index_folder(run.directory);
  run.chosen = choose_for(flags.folder, flags.minutes, flags.recipe, indices, context);
  shrink_once(*run.chosen, indices.parent_path() / ".dino_shrunk", context);
  return run;
}

/** Only says what the recipe would do. */
int show_plan(const TrainFlags& flags, Context& context) {
  if (flags.recipe.path.empty() || !flags.resume.empty())
    fail(ErrorKind::Usage, "--plan shows what a recipe will do: dino train --plan --recipe NAME");
  TrainRun run;
  load_recipe_of(flags, run);
  const recipe::Data& data = run.recipe.data;
  if (data.epoch_images == 0 && data.train.empty() && data.sources.empty())
    fail(ErrorKind::Usage,
         "--plan counts steps by images, and the recipe names none: dino train FOLDER --plan "
         "--recipe NAME, or --set data.epoch_images=1281167");
  std::int64_t images = 0;
  if (data.epoch_images == 0) images = recipe::TrainingImages(run.recipe).dataset()->size();
  const recipe::Plan plan = recipe::plan_of(run.recipe, images);
  nlohmann::json document = {{"steps", plan.steps},
                             {"steps_per_epoch", plan.steps_per_epoch},
                             {"images_per_step", plan.images_per_step},
                             {"micro_batches", plan.micro_batches},
                             {"backbone_parameters", plan.student_parameters},
                             {"head_parameters", plan.head_parameters},
                             {"state_bytes", plan.state_bytes},
                             {"events", nlohmann::json::array()},
                             {"curves", nlohmann::json::array()}};
  for (const recipe::PlanEvent& event : plan.events)
    document["events"].push_back({{"step", event.step}, {"what", event.what}});
  for (const recipe::PlanRow& row : plan.rows) {
    nlohmann::json values = {{"step", row.step}};
    for (std::size_t i = 0; i < plan.curves.size(); ++i) values[plan.curves[i]] = row.values[i];
    document["curves"].push_back(std::move(values));
  }
  print_result(context, document, recipe::to_text(plan, run.recipe));
  return kOk;
}

int run_train(const TrainFlags& flags, Context& context) {
  if (flags.plan) {
    check(flags);
    return show_plan(flags, context);
  }
  const TrainRun run = run_of(flags, context);
  return torch_actions().train(run, context);
}

}  // namespace

void add_train(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* command = add_command(parent, context, "train",
                                  "Pretrain on a folder of images, or from a recipe, or continue",
                                  [flags, &context] { return run_train(*flags, context); });
  command->add_option(
      "folder", flags->folder,
      "Images (folder, list, archive or array file); without --recipe one is chosen "
      "for them");
  flags->minutes_given =
      command->add_option("--minutes", flags->minutes, "Time for all of it, if a recipe is chosen")
          ->check(CLI::Range(0.1, 1e6))
          ->capture_default_str();
  add_recipe_flags(*command, flags->recipe);
  command->add_option("--out", flags->out,
                      "Directory of the run, made if missing (default: runs/NAME of the folder)");
  command->add_option("--resume", flags->resume, "Continue the run in this directory");
  command->add_flag("--force", flags->force, "Replace a run that is in --out");
  command->add_flag("--plan", flags->plan,
                    "Only say what a recipe will do and when: steps, warm-ups, freezes, teachers, "
                    "rates, memory");
}

}  // namespace dino::cli
