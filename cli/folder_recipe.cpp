#include "cli/folder_recipe.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "dino/base/cores.h"
#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/cpu/bf16_rule.h"
#include "dino/cpu/kernels.h"
#include "dino/data/loading/measure.h"
#include "dino/data/sources/image_stream.h"
#include "dino/recipe/training_images.h"

namespace dino::cli {
namespace {

/** 10^9 operations a second that training reaches, by the processor's instructions: what the demo's
 * network was measured to do. Within a factor of two; `dino train` measures. */
double estimated_gflops(int threads) {
  const bool avx512 = std::string_view(cpu::kernels().name).starts_with("avx512");
  const double one = cpu::bf16_pays_in_training(cpu::Processor::here()) ? 50 : avx512 ? 35 : 20;
  return one * std::pow(threads, 0.9);  // threads wait for each other
}

/** 0 = those of each file. Arrays of many bands do not say which of their axes these are. */
int asked_channels(const RecipeFlags& flags) {
  constexpr std::string_view kKey = "data.channels=";
  int channels = 0;
  for (const std::string& set : flags.set)
    if (set.starts_with(kKey)) channels = std::atoi(set.c_str() + kKey.size());
  return std::max(channels, 0);
}

}  // namespace

std::string absolute_source(const std::string& folder) {
  std::error_code ignored;
  const std::filesystem::path path = std::filesystem::absolute(folder, ignored).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).string();
}

std::filesystem::path run_folder(const std::string& folder) {
  std::string name = std::filesystem::path(absolute_source(folder)).filename().string();
  if (!std::filesystem::is_directory(folder)) name = name.substr(0, name.find('.'));
  for (char& c : name)
    if (std::string_view("{}[]*?'\"\\ ").find(c) != std::string_view::npos) c = '_';
  return std::filesystem::path("runs") / (name.empty() ? "images" : name);
}

double FolderChoice::seconds_left() const {
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  return std::max(60 * budget.minutes - spent.count(), 1.0);
}

void FolderChoice::choose() {
  choice = recipe::choose_recipe(facts, budget);
  choice.recipe.name = run_folder(folder).filename().string();
  choice.recipe.description = fmt::format("chosen for {:g} minutes", budget.minutes);
  choice.recipe = with_flags(choice.recipe, flags);
}

double FolderChoice::load_seconds(double seconds) const {
  constexpr int kBatch = 8;  // few: a large image may take a second
  const recipe::TrainingImages images(choice.recipe, cache);
  data::LoaderOptions options = recipe::loader_options(choice.recipe, budget.threads);
  options.batch_size = kBatch;
  options.workers = options.workers_beside = budget.threads;
  const data::DataSpeed speed =
      data::measure_loader(*images.dataset(), choice.recipe.crops, options, seconds);
  return speed.busy_seconds / static_cast<double>(speed.images) / budget.threads;
}

std::array<std::string, 5> FolderChoice::fit(const recipe::Speed& speed, std::string source) {
  const recipe::TimePlan plan =
      recipe::fit_to_time(facts.images, speed, seconds_left(), choice.recipe);
  choice.recipe = with_flags(choice.recipe, flags);
  return recipe::describe_choice(
      facts, choice.recipe,
      {.minutes = budget.minutes, .speed = speed, .plan = plan, .source = std::move(source)});
}

FolderChoice choose_for(const std::string& folder, double minutes, const RecipeFlags& flags,
                        const std::filesystem::path& cache, Context& context) {
  if (data::is_stream(folder))
    fail(ErrorKind::Usage,
         "[recipe] '{}' is a stream, whose images cannot be looked at before training; write a "
         "recipe with data.epoch_images, or unpack it",
         printable(std::string_view(folder)));
  FolderChoice chosen;
  chosen.folder = absolute_source(folder);
  chosen.cache = cache;
  chosen.flags = flags;
  const int threads = context.threads > 0 ? context.threads : usable_processors();
  chosen.budget = {.minutes = minutes, .threads = threads, .gflops = estimated_gflops(threads)};
  data::SourceOptions options;
  options.channels = asked_channels(flags);
  options.cache = cache;
  const auto dataset = data::open_dataset(chosen.folder, options);
  ThreadPool pool(pool_workers(context.threads));
  chosen.facts = recipe::survey_images(chosen.folder, *dataset, pool);
  chosen.choose();
  return chosen;
}

}  // namespace dino::cli
