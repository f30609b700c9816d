// dino bench data: how fast the loader makes the crops of a recipe from files, and where its time
// goes. No network is involved.
#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/recipe_flags.h"
#include "dino/base/error.h"
#include "dino/data/loading/measure.h"
#include "dino/recipe/training_images.h"
#include "dino/run/machine.h"

namespace dino::cli {
namespace {

struct DataBenchFlags {
  std::string source;
  RecipeFlags recipe;
  double seconds = 5;
  int batch = 32;
};

std::string stage_table(const nlohmann::json& stages, double all) {
  std::string text;
  for (const auto& [stage, milliseconds] : stages.items())
    text += fmt::format("  {:<10} {:8.3f} ms  {:5.1f} %\n", stage, milliseconds.get<double>(),
                        100 * milliseconds.get<double>() / all);
  return text;
}

int run_bench_data(const DataBenchFlags& flags, Context& context) {
  if (flags.recipe.path.empty())
    fail(ErrorKind::Usage, "name a recipe: dino bench data SOURCE --recipe FILE");
  const recipe::Recipe recipe = load(flags.recipe);
  const auto dataset = data::open_dataset(flags.source, recipe::source_options(recipe));
  const int threads = std::max(1, context.threads);
  data::LoaderOptions options = recipe::loader_options(recipe);
  options.batch_size = static_cast<int>(std::min<std::int64_t>(flags.batch, dataset->size()));
  options.workers = options.workers_beside = threads;
  options.epoch_images = 0;
  const data::DataSpeed speed =
      data::measure_loader(*dataset, recipe.crops, options, flags.seconds);
  const auto per_image = [&](double seconds) {
    return 1e3 * seconds / static_cast<double>(speed.images);
  };
  const nlohmann::ordered_json stages = {
      {"decode", per_image(speed.stages.decode)},
      {"crop", per_image(speed.stages.crop)},
      {"color", per_image(speed.stages.color)},
      {"blur", per_image(speed.stages.blur)},
      {"normalize", per_image(speed.stages.normalize)},
      {"other", per_image(speed.busy_seconds - speed.stages.total())}};
  const double busy = per_image(speed.busy_seconds);
  const nlohmann::json machine = run::describe_machine();
  print_result(
      context,
      {{"source", flags.source},
       {"recipe", recipe.name},
       {"threads", threads},
       {"images", speed.images},
       {"seconds", speed.seconds},
       {"images_per_second", speed.images_per_second()},
       {"milliseconds_per_image", busy},
       {"stages", stages},
       {"kernels", speed.kernels},
       {"machine", machine}},
      fmt::format("{}, {}: {:.1f} images/s with {} threads ({} pixel kernels, {})\n"
                  "{:.3f} ms of a thread per image:\n{}",
                  flags.source, recipe.name, speed.images_per_second(), threads, speed.kernels,
                  machine["processor"].get<std::string>(), busy, stage_table(stages, busy)));
  return kOk;
}

}  // namespace

void add_bench_data(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<DataBenchFlags>();
  CLI::App* command =
      add_command(parent, context, "data", "The loader: crops of a recipe from files",
                  [flags, &context] { return run_bench_data(*flags, context); });
  command->add_option("source", flags->source, "Folder, list or archive of images")->required();
  add_recipe_flags(*command, flags->recipe);
  command->add_option("--seconds", flags->seconds, "Time to measure, after a first batch")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  command->add_option("--batch", flags->batch, "Images per batch")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
}

}  // namespace dino::cli
