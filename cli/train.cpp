// dino train: pretrains from a recipe, or continues a run.
#include "dino/train/train.h"

#include <chrono>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/folder_recipe.h"
#include "cli/interrupt.h"
#include "cli/measured_recipe.h"
#include "cli/recipe_flags.h"
#include "cli/run_figures.h"
#include "cli/run_report.h"
#include "cli/usage.h"
#include "dino/base/error.h"
#include "dino/recipe/training_images.h"

namespace dino::cli {
namespace {

constexpr std::chrono::milliseconds kBarPeriod{100};
constexpr std::chrono::seconds kLinePeriod{10};

struct TrainFlags {
  RecipeFlags recipe;
  std::string folder, out, resume;
  double minutes = 30;
  bool force = false;
  const CLI::Option* minutes_given = nullptr;
};

/** Shows progress often on a terminal, where it replaces itself, and seldom in a log. */
class ProgressPrinter {
 public:
  explicit ProgressPrinter(Console& console) : console_(console) {}

  void operator()(const train::Progress& progress) {
    const auto now = std::chrono::steady_clock::now();
    const bool last = progress.iteration == progress.total;
    if (shown_ && !last && now - *shown_ < period()) return;
    shown_ = now;
    console_.progress(console_.is_terminal() ? train::progress_bar(progress, console_.width())
                                             : train::progress_line(progress));
  }

 private:
  std::chrono::steady_clock::duration period() const {
    if (console_.is_terminal()) return kBarPeriod;
    return kLinePeriod;
  }

  Console& console_;
  std::optional<std::chrono::steady_clock::time_point> shown_;
};

void check(const TrainFlags& flags) {
  const bool chooses = !flags.folder.empty() && flags.recipe.path.empty();
  if (!flags.resume.empty() && (!flags.out.empty() || flags.force || !flags.folder.empty()))
    fail(ErrorKind::Usage,
         "--resume continues a run in its own directory; leave out FOLDER, --out and --force");
  if (flags.minutes_given->count() > 0 && !chooses)
    fail(ErrorKind::Usage,
         "--minutes chooses a recipe for a folder; with a recipe of your own use --set "
         "train.epochs=N, or train.max_minutes");
  if (flags.folder.ends_with(".toml"))
    fail(ErrorKind::Usage, "{} is a recipe, not images; dino train --recipe {}", flags.folder,
         flags.folder);
  if (flags.resume.empty() && flags.folder.empty() &&
      (flags.recipe.path.empty() || flags.out.empty()))
    fail(ErrorKind::Usage,
         "name a folder of images: dino train FOLDER, or a recipe and an output directory: dino "
         "train --recipe FILE --out DIR (or continue a run: dino train --resume DIR)");
}

/** A recipe chosen for the folder, which takes seconds: the machine is measured. */
void choose(const TrainFlags& flags, train::TrainRequest& request, Context& context) {
  run::RunDir::check_free(request.directory, flags.force);
  context.console.message(LogLevel::Info, fmt::format("looking at {} ...", flags.folder));
  FolderChoice chosen = choose_for(flags.folder, flags.minutes, flags.recipe,
                                   recipe::index_folder(request.directory), context);
  const auto lines = measure_choice(chosen);
  for (const std::string& line : lines) context.console.message(LogLevel::Info, line);
  request.recipe = chosen.choice.recipe;
  request.recipe_text = recipe::commented_toml(chosen.choice, lines);
}

train::TrainRequest make_request(const TrainFlags& flags, Context& context) {
  check(flags);
  train::TrainRequest request;
  request.resume = !flags.resume.empty();
  request.force = flags.force;
  request.directory = request.resume       ? flags.resume
                      : !flags.out.empty() ? flags.out
                                           : run_folder(flags.folder).string();
  request.command_line = context.command_line;
  if (!flags.folder.empty() && flags.recipe.path.empty()) {
    choose(flags, request, context);
    return request;
  }
  RecipeFlags recipe = flags.recipe;
  if (!flags.folder.empty())
    recipe.set.insert(recipe.set.begin(), "data.train=" + absolute_source(flags.folder));
  if (request.resume && recipe.path.empty()) {
    const run::RunLayout layout{request.directory};
    if (!layout.holds_run())
      fail(ErrorKind::Usage, "{} holds no run to resume", request.directory.string());
    recipe.path = layout.recipe().string();
  }
  request.recipe = load(recipe);
  return request;
}

/** Where the run lies and what to type next. */
std::string next_steps(const run::RunLayout& layout, const recipe::Recipe& recipe) {
  std::string text = fmt::format("\nrun directory  {}\n", layout.root.string());
  if (std::filesystem::exists(layout.report()))
    text += fmt::format("report         {}\n", layout.report().string());
  text += "\nNext:\n";
  for (const std::string& command : next_commands(layout, recipe))
    text += fmt::format("  {}\n", command);
  return text;
}

/** The report comes after everything that matters is on disk: that it fails does not fail the run.
 */
void report(const run::RunLayout& layout, const recipe::Recipe& recipe, Context& context) {
  try {
    write_run_report(layout, recipe, context.log());
  } catch (const Error& error) {
    context.console.message(LogLevel::Warning, fmt::format("no report: {}", error.what()));
  }
}

int run_train(const TrainFlags& flags, Context& context) {
  const train::TrainRequest request = make_request(flags, context);
  const InterruptGuard interrupt([&] {
    context.console.message(
        LogLevel::Info, "stopping after this step and saving; press Ctrl-C again to quit at once");
  });
  train::TrainHooks hooks;
  hooks.log = context.log();
  hooks.progress = ProgressPrinter(context.console);
  add_knn_hooks(hooks, request.recipe, context.console, interrupt.token());
  hooks.report = [&](const run::RunLayout& layout) { report(layout, request.recipe, context); };

  const train::TrainResult result = train::train(request, hooks, interrupt.token());
  context.console.end_progress();
  if (result.outcome == train::Outcome::Interrupted) {
    context.console.message(
        LogLevel::Warning,
        fmt::format("stopped at step {}; continue with: dino train --resume {}",
                    result.summary["iterations"].dump(), shell_quote(request.directory.string())));
    return kInterrupted;
  }
  print_result(context, result.summary,
               summary_text(result.summary) + next_steps(result.layout, request.recipe));
  return kOk;
}

}  // namespace

void add_train(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* command = add_command(
      parent, context, "train", "Pretrain on a folder of images, from a recipe, or continue a run",
      [flags, &context] { return run_train(*flags, context); });
  command->add_option("folder", flags->folder,
                      "Images (folder, list, archive or array file) for which a recipe is chosen");
  flags->minutes_given =
      command->add_option("--minutes", flags->minutes, "Time that the folder's training may take")
          ->check(CLI::Range(0.1, 1e6))
          ->capture_default_str();
  add_recipe_flags(*command, flags->recipe);
  command->add_option("--out", flags->out,
                      "Directory of the run, made if missing (default: runs/NAME of the folder)");
  command->add_option("--resume", flags->resume, "Continue the run in this directory");
  command->add_flag("--force", flags->force, "Replace a run that is in --out");
}

}  // namespace dino::cli
