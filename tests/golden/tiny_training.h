// A tiny DINO that trains on synthetic crops: the C++ side of tests/golden/train/trajectory.py,
// shared by the tests of a step.
#pragma once
#include <algorithm>
#include <string>

#include "dino/data/loading/batch.h"
#include "dino/recipe/recipe.h"
#include "tests/golden/synthetic_weights.h"

namespace dino::golden {

inline constexpr int kIterationsPerEpoch = 4;
inline constexpr int kBatch = 4, kChannels = 3, kGlobalPx = 16, kLocalPx = 8, kLocalCount = 3;

/** A step takes a few milliseconds; no stochastic depth. */
inline recipe::Recipe tiny_recipe(bool norm_last_layer) {
  recipe::Recipe recipe;
  recipe.data.channels = kChannels;
  recipe.crops.global_size = kGlobalPx;
  recipe.crops.local_size = kLocalPx;
  recipe.crops.local_count = kLocalCount;
  recipe.backbone = {
      .arch = "vit", .patch_size = 4, .dim = 32, .depth = 2, .heads = 2, .drop_path = 0};
  recipe.head = {
      .prototypes = 64, .hidden = 48, .bottleneck = 16, .norm_last_layer = norm_last_layer};
  recipe.dino = {.teacher_temperature = 0.07,
                 .warmup_teacher_temperature = 0.04,
                 .warmup_teacher_temperature_epochs = 3};
  recipe.optim.lr = 0.128;  // the linear rule makes 0.002 of it at batch 4
  recipe.optim.warmup_epochs = 1;
  recipe.optim.ema_momentum = 0.9;
  recipe.optim.clip_grad = 0.3;
  recipe.train.epochs = 3;
  recipe.train.batch_size = kBatch;
  return recipe;
}

inline data::AlignedBuffer crops(const std::string& name, std::int64_t count) {
  const auto values = uniform(name, count);
  data::AlignedBuffer buffer(values.size());
  std::ranges::transform(values, buffer.data(), [](float value) { return 2 * value; });
  return buffer;
}

/** Synthetic crops of step `step`. */
inline data::CropBatch batch_at(int step) {
  data::CropBatch batch;
  batch.batch_size = kBatch;
  batch.channels = kChannels;
  batch.global_size = kGlobalPx;
  batch.local_size = kLocalPx;
  batch.local_count = kLocalCount;
  batch.globals =
      crops("globals" + std::to_string(step), 2 * kBatch * kChannels * kGlobalPx * kGlobalPx);
  batch.locals = crops("locals" + std::to_string(step),
                       kLocalCount * kBatch * kChannels * kLocalPx * kLocalPx);
  batch.iteration = step;
  return batch;
}

}  // namespace dino::golden
