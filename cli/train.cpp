// dino train: pretrains from a recipe, or continues a run. What needs LibTorch is in
// torch/train.cpp.
#include <memory>

#include "cli/commands.h"
#include "cli/recipe_flags.h"
#include "cli/torch_actions.h"
#include "dino/base/error.h"
#include "dino/run/run_dir.h"

namespace dino::cli {
namespace {

struct TrainFlags {
  RecipeFlags recipe;
  std::string out, resume;
  bool force = false;
};

/** The run that the flags ask for. Throws Error{Usage}, or the errors of its recipe. */
TrainRun run_of(const TrainFlags& flags) {
  if (!flags.resume.empty() && (!flags.out.empty() || flags.force))
    fail(ErrorKind::Usage,
         "--resume continues a run in its own directory; leave out --out and --force");
  if (flags.resume.empty() && (flags.recipe.path.empty() || flags.out.empty()))
    fail(ErrorKind::Usage,
         "name a recipe and an output directory: dino train --recipe FILE --out DIR "
         "(or continue a run: dino train --resume DIR)");
  TrainRun run;
  run.resume = !flags.resume.empty();
  run.force = flags.force;
  run.directory = run.resume ? flags.resume : flags.out;
  RecipeFlags recipe = flags.recipe;
  if (run.resume && recipe.path.empty()) {
    const run::RunLayout layout{run.directory};
    if (!layout.holds_run())
      fail(ErrorKind::Usage, "{} holds no run to resume", run.directory.string());
    recipe.path = layout.recipe().string();
  }
  run.recipe = load(recipe);
  return run;
}

int run_train(const TrainFlags& flags, Context& context) {
  const TrainRun run = run_of(flags);
  return torch_actions().train(run, context);
}

}  // namespace

void add_train(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* command =
      add_command(parent, context, "train", "Pretrain from a recipe, or continue a run",
                  [flags, &context] { return run_train(*flags, context); });
  add_recipe_flags(*command, flags->recipe);
  command->add_option("--out", flags->out, "Directory of the run, made if missing");
  command->add_option("--resume", flags->resume, "Continue the run in this directory");
  command->add_flag("--force", flags->force, "Replace a run that is in --out");
}

}  // namespace dino::cli
