#include "dino/train/step_speed.h"

#include <chrono>
#include <span>

#include "dino/base/error.h"
#include "dino/base/rng.h"
#include "dino/train/ssl_model.h"

namespace dino::train {
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
  if (recipe.masks.share > 0) {
    const int grid = recipe.crops.global_size / recipe::patch_size(recipe);
    batch.masks =
        data::draw_masks(2 * batch.batch_size, grid, grid, recipe.masks, Rng(recipe.seed, 0, 0, 2));
  }
  for (int i = 0; i < batch.batch_size; ++i) batch.indices.push_back(i);
  return batch;
}

}  // namespace

std::vector<double> time_steps(const recipe::Recipe& recipe, model::Precision precision,
                               const StepTrial& trial) {
  using Clock = std::chrono::steady_clock;
  constexpr std::int64_t kIterationsPerEpoch = 1000;  // only fixes the schedules
  data::CropBatch batch = synthetic_batch(recipe);
  SslModel model(recipe, precision, kIterationsPerEpoch);
  std::vector<double> seconds;
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < trial.warmup + trial.steps; ++i) {
    const Clock::time_point start = Clock::now();
    const double spent = std::chrono::duration<double>(start - begin).count();
    if (!seconds.empty() && spent >= trial.seconds) break;
    // Past the first epoch, where the last layer is frozen and a step is cheaper.
    batch.iteration = kIterationsPerEpoch * 2 + i;
    if (model.step(batch, batch.iteration).skipped)
      fail(ErrorKind::Config, "[bench] the loss is not finite on noise; lower optim.lr");
    if (i >= trial.warmup)
      seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  return seconds;
}

}  // namespace dino::train
