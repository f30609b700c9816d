// dino train: the run itself, its progress and what it leaves.
#include "dino/train/train.h"

#include <chrono>
#include <optional>

#include "cli/interrupt.h"
#include "cli/shell_quote.h"
#include "cli/torch/actions.h"
#include "cli/torch/measured_recipe.h"
#include "cli/torch/run_figures.h"
#include "cli/torch/run_report.h"
#include "dino/base/error.h"

namespace dino::cli {
namespace {

constexpr std::chrono::milliseconds kBarPeriod{100};
constexpr std::chrono::seconds kLinePeriod{10};

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

/** Without labels nothing measures the features; a reader must not take their absence for success.
 */
constexpr const char* kNoLabels =
    "no labels: no figure here says how good the features are; look at the neighbors in the "
    "report\n";

/** Where the run lies and what to type next. */
std::string next_steps(const run::RunLayout& layout, const recipe::Recipe& recipe) {
  std::string text = recipe.knn.train.empty() ? kNoLabels : "";
  text += fmt::format("\nrun directory  {}\n", layout.root.string());
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

/** Measures the machine for a chosen recipe, says what it is, and makes it that of the run. */
void settle(FolderChoice chosen, train::TrainRequest& request, Context& context) {
  context.console.message(LogLevel::Info, "measuring this machine ...");
  const auto lines = measure_choice(chosen);
  for (const std::string& line : lines) context.console.message(LogLevel::Info, line);
  request.recipe_text = recipe::commented_toml(chosen.choice, lines);
  request.recipe = std::move(chosen.choice.recipe);
}

}  // namespace

int run_train(const TrainRun& run, Context& context) {
  train::TrainRequest request = {.recipe = run.recipe,
                                 .recipe_text = run.recipe_text,
                                 .directory = run.directory,
                                 .resume = run.resume,
                                 .force = run.force,
                                 .command_line = context.command_line};
  if (run.chosen) settle(*run.chosen, request, context);
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
  if (result.outcome == train::Outcome::TimeLimit)
    context.console.message(
        LogLevel::Warning,
        fmt::format(
            "train.max_minutes = {:g} were over at step {}, before the schedules' end; to go "
            "on: dino train --resume {} --set train.max_minutes=0",
            request.recipe.train.max_minutes, result.summary["iterations"].dump(),
            shell_quote(request.directory.string())));
  recipe::Recipe shown = request.recipe;
  if (run.chosen) shown.data.train = run.chosen->folder;  // not the copies made of it
  print_result(context, result.summary,
               summary_text(result.summary) + next_steps(result.layout, shown));
  return kOk;
}

}  // namespace dino::cli
