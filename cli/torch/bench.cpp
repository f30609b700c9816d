// dino bench train and dino bench infer.
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "cli/torch/actions.h"
#include "cli/torch/network.h"
#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "dino/base/rng.h"
#include "dino/run/machine.h"
#include "dino/train/machine.h"
#include "dino/train/precision.h"
#include "dino/train/ssl_model.h"

namespace dino::cli {
namespace {

void fill_normal(data::AlignedBuffer& buffer, Rng rng) {
  for (float& value : std::span(buffer.data(), buffer.size()))
    value = static_cast<float>(rng.normal());
}

/** What the loader would deliver for this recipe, filled with noise. */
data::CropBatch synthetic_batch(const recipe::Recipe& recipe) {
  const auto pixels = [&](int crops, int size) {
    return static_cast<std::size_t>(crops) * static_cast<std::size_t>(recipe.train.batch_size) *
           static_cast<std::size_t>(recipe.data.channels) * static_cast<std::size_t>(size) *
           static_cast<std::size_t>(size);
  };
  data::CropBatch batch;
  batch.batch_size = recipe.train.batch_size;
  batch.channels = recipe.data.channels;
  batch.global_size = recipe.crops.global_size;
  batch.local_size = recipe.crops.local_size;
  batch.local_count = recipe.crops.local_count;
  batch.globals = data::AlignedBuffer(pixels(2, batch.global_size));
  batch.locals = data::AlignedBuffer(pixels(batch.local_count, batch.local_size));
  fill_normal(batch.globals, Rng(recipe.seed, 0, 0, 0));
  fill_normal(batch.locals, Rng(recipe.seed, 0, 0, 1));
  for (int i = 0; i < batch.batch_size; ++i) batch.indices.push_back(i);
  return batch;
}

/** Seconds of each of `steps` training steps, after `warmup` that are not counted. */
std::vector<double> time_steps(const TrainBench& bench, model::Precision precision) {
  const recipe::Recipe& recipe = bench.recipe;
  constexpr std::int64_t kIterationsPerEpoch = 1000;  // only fixes the schedules
  data::CropBatch batch = synthetic_batch(recipe);
  train::SslModel model(recipe, precision, kIterationsPerEpoch);
  std::vector<double> seconds;
  for (int i = 0; i < bench.warmup + bench.steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    // Past the first epoch, where the last layer is frozen and a step is cheaper.
    batch.iteration = kIterationsPerEpoch * 2 + i;
    if (model.step(batch, batch.iteration).skipped)
      fail(ErrorKind::Config, "[bench] the loss is not finite on noise; lower optim.lr");
    const auto end = std::chrono::steady_clock::now();
    if (i >= bench.warmup) seconds.push_back(std::chrono::duration<double>(end - start).count());
  }
  return seconds;
}

}  // namespace

int run_bench_train(const TrainBench& bench, Context& context) {
  const recipe::Recipe& recipe = bench.recipe;
  const model::Precision precision = train::resolve_precision(recipe.train.precision);
  std::vector<double> seconds = time_steps(bench, precision);
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
