// dino bench train and dino bench infer.
#include <ATen/CPUGeneratorImpl.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "cli/torch/actions.h"
#include "cli/torch/network.h"
#include "dino/arch/zoo.h"
#include "dino/run/machine.h"
#include "dino/train/machine.h"
#include "dino/train/precision.h"
#include "dino/train/step_speed.h"

namespace dino::cli {
int run_bench_train(const TrainBench& bench, Context& context) {
  const recipe::Recipe& recipe = bench.recipe;
  const model::Precision precision = train::resolve_precision(recipe.train.precision);
  std::vector<double> seconds =
      train::time_steps(recipe, precision, {.warmup = bench.warmup, .steps = bench.steps});
  std::ranges::sort(seconds);
  const double median = (seconds[(seconds.size() - 1) / 2] + seconds[seconds.size() / 2]) / 2;
  const double images = recipe.train.batch_size;
  const double peak_mb = static_cast<double>(run::peak_resident_bytes()) / 1e6;

  nlohmann::json result = {{"recipe", recipe.name},
                           {"precision", model::name_of(precision)},
                           {"batch_size", recipe.train.batch_size},
                           {"steps", bench.steps},
                           {"images_per_second", images / median},
                           {"images_per_second_min", images / seconds.back()},
                           {"images_per_second_max", images / seconds.front()},
                           {"milliseconds_per_step", 1e3 * median},
                           {"peak_rss_mb", peak_mb},
                           {"machine", train::describe_machine()}};
  const auto& machine = result["machine"];
  print_result(
      context, result,
      fmt::format(
          "{}, {}, {} threads, batch {}, {} steps on {}\n"
          "  {:.2f} images/s (median; {:.2f} to {:.2f}), {:.1f} ms a step, peak memory {:.0f} MB",
          recipe.name, model::name_of(precision), machine["threads"].get<int>(),
          recipe.train.batch_size, bench.steps, machine["processor"].get<std::string>(),
          images / median, images / seconds.back(), images / seconds.front(), 1e3 * median,
          peak_mb));
  return kOk;
}

/** Features of noise with random weights: speed depends on neither. */
int run_bench_infer(const InferFlags& flags, Context& context) {
  arch::Architecture architecture = arch::zoo_entry(flags.model).network.architecture;
  auto backbone =
      model::make_backbone(architecture, {}, at::make_generator<at::CPUGeneratorImpl>(0));
  backbone->set_precision(precision_of(flags.precision));
  backbone->freeze();
  const model::Computed computed = backbone->computed();
  const torch::Tensor images =
      torch::randn({flags.batch, architecture.channels, flags.size, flags.size});
  std::vector<double> milliseconds;
  for (int i = 0; i < flags.warmup + flags.runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto features = backbone->forward_features(images);
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    if (i >= flags.warmup) milliseconds.push_back(elapsed.count());
  }
  std::ranges::sort(milliseconds);
  const double median =
      (milliseconds[(milliseconds.size() - 1) / 2] + milliseconds[milliseconds.size() / 2]) / 2;
  const nlohmann::json machine = train::describe_machine();
  print_result(
      context,
      {{"model", flags.model},
       {"precision", model::name_of(computed.precision)},
       {"precision_asked", flags.precision},
       {"kernel", computed.kernel},
       {"size", flags.size},
       {"batch", flags.batch},
       {"milliseconds", median},
       {"milliseconds_min", milliseconds.front()},
       {"milliseconds_max", milliseconds.back()},
       {"images_per_second", 1e3 * flags.batch / median},
       {"peak_rss_mb", static_cast<double>(run::peak_resident_bytes()) / 1e6},
       {"machine", machine}},
      fmt::format("{} at {} px, {} by {}, batch {}, {} threads: {:.2f} ms (median of {}; {:.2f} to "
                  "{:.2f}), {:.1f} images/s",
                  flags.model, flags.size, model::name_of(computed.precision), computed.kernel,
                  flags.batch, machine["threads"].get<int>(), median, flags.runs,
                  milliseconds.front(), milliseconds.back(), 1e3 * flags.batch / median));
  return kOk;
}

}  // namespace dino::cli
