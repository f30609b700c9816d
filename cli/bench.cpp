// dino bench: speed and memory of the training step alone, on synthetic crops, and of features
// (torch/bench.cpp); bench_data.cpp measures the loader.
#include <memory>

#include "cli/commands.h"
#include "cli/recipe_flags.h"
#include "cli/torch_actions.h"
#include "dino/base/error.h"

namespace dino::cli {
namespace {

struct TrainBenchFlags {
  RecipeFlags recipe;
  TrainBench bench;
};

int run_bench_train(TrainBenchFlags& flags, Context& context) {
  if (flags.recipe.path.empty())
    fail(ErrorKind::Usage, "name a recipe: dino bench train --recipe FILE");
  flags.bench.recipe = load(flags.recipe);
  return torch_actions().bench_train(flags.bench, context);
}

void add_bench_infer(CLI::App& group, Context& context) {
  auto flags = std::make_shared<InferFlags>();
  CLI::App* command =
      add_command(group, context, "infer", "Features of a published backbone, random weights",
                  [flags, &context] { return torch_actions().bench_infer(*flags, context); });
  command->add_option("--model", flags->model, "Name of the backbone")->capture_default_str();
  command->add_option("--size", flags->size, "Side of the images, px")
      ->check(CLI::Range(1, 16384))
      ->capture_default_str();
  command->add_option("--batch", flags->batch, "Images per call")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_option("--precision", flags->precision, "fp32, bf16 or int8")
      ->check(CLI::IsMember({"fp32", "bf16", "int8"}))
      ->capture_default_str();
  command->add_option("--runs", flags->runs, "Calls to time")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--warmup", flags->warmup, "Calls before them")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
}

}  // namespace

void add_bench(CLI::App& parent, Context& context) {
  CLI::App* group = add_group(parent, "bench", "Measure speed and memory");
  auto flags = std::make_shared<TrainBenchFlags>();
  CLI::App* command = add_command(*group, context, "train", "The training step on synthetic crops",
                                  [flags, &context] { return run_bench_train(*flags, context); });
  add_recipe_flags(*command, flags->recipe);
  command->add_option("--steps", flags->bench.steps, "Steps to time")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--warmup", flags->bench.warmup, "Steps before them")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  add_bench_infer(*group, context);
  add_bench_data(*group, context);
}

}  // namespace dino::cli
