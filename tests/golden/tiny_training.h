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
inline constexpr int kGramPx = 24;

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

/** The same as DINOv2 trains it: the C++ side of tests/golden/train/trajectory_v2.py. */
inline recipe::Recipe tiny_v2_recipe(bool tied, bool sinkhorn, bool swiglu) {
  recipe::Recipe recipe = tiny_recipe(/*norm_last_layer=*/false);
  recipe.objectives = {"dino", "ibot", "spread"};
  recipe.backbone.arch = swiglu ? "dinov2_vitg14" : "dinov2_vits14";
  recipe.backbone.registers = 0;
  recipe.masks.share = 0.5;
  recipe.dino.centering = sinkhorn ? "sinkhorn_knopp" : "mean";
  recipe.dino.warmup_teacher_temperature_epochs = 2;
  recipe.dino.temperature_each = "iteration";
  recipe.ibot = {.weight = 0.8, .tied = tied};
  if (!tied)
    recipe.ibot = {.weight = 0.8, .tied = false, .prototypes = 40, .hidden = 32, .bottleneck = 12};
  recipe.optim.lr_rule = "sqrt";
  recipe.optim.lr = 0.004, recipe.optim.lr_reference_batch = 16;  // 0.002 of it at batch 4
  recipe.optim.layer_decay = 0.9;
  recipe.optim.patch_embed_lr = 0.2;
  recipe.optim.clip_by = "part";
  recipe.optim.freeze_by = "rate";
  return recipe;
}

/** The same as DINOv3 trains it, with Gram anchoring from the second epoch on: the C++ side of
 * tests/golden/train/trajectory_v3.py. `seven`: as the 7B network, else as the small ones. */
inline recipe::Recipe tiny_v3_recipe(bool seven) {
  recipe::Recipe recipe = tiny_v2_recipe(/*tied=*/false, /*sinkhorn=*/true, /*swiglu=*/false);
  recipe.objectives = {"dino", "ibot", "spread", "gram"};
  recipe.backbone.arch = seven ? "dinov3_vit7b16" : "dinov3_vits16";
  recipe.backbone.registers = 4;
  recipe.crops.gram_size = kGramPx;
  recipe.head.weight_norm = false;
  recipe.dino.local_weight_end = 0.5;
  recipe.dino.local_weight_start_epochs = recipe.dino.local_weight_ramp_epochs = 1;
  recipe.ibot.weight = 1;
  recipe.gram = {
      .weight = 2, .start_epochs = 1, .ramp_epochs = 1, .from = "copy", .copy_epochs = 1};
  recipe.gram.first_update_epochs = 2, recipe.gram.update_epochs = 1, recipe.gram.max_updates = 1;
  recipe.gram.per_image = seven;
  recipe.optim.lr_curve = "constant";
  recipe.optim.weight_decay_end = 0.04;
  recipe.optim.ema_momentum_end = 0.9;
  recipe.optim.layer_decay = 0.98;
  recipe.optim.betas = {0.9, 0.99};
  return recipe;
}

/** Masks of step `step`: about two fifths of the patches of every other global crop. */
inline data::BatchMasks masks_at(int step) {
  constexpr int kGrid = kGlobalPx / 4;
  data::BatchMasks masks{.grid_height = kGrid, .grid_width = kGrid};
  const auto values = uniform("masks" + std::to_string(step), 2 * kBatch * kGrid * kGrid);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool masked_crop = (static_cast<int>(i) / (kGrid * kGrid)) % 2 != step % 2;
    masks.masked.push_back(masked_crop && values[i] < -0.2f ? 1 : 0);
    if (masks.masked.back() != 0) masks.indices.push_back(static_cast<std::int64_t>(i));
  }
  for (const std::int64_t index : masks.indices) {
    const auto crop = masks.masked.begin() + index / (kGrid * kGrid) * (kGrid * kGrid);
    const auto count = std::count(crop, crop + kGrid * kGrid, std::uint8_t{1});
    masks.weights.push_back(1.0f / static_cast<float>(count));
  }
  return masks;
}

/** Synthetic crops of step `step` for any of these recipes. */
inline data::CropBatch batch_at(int step, const recipe::Recipe& recipe) {
  data::CropBatch batch = batch_at(step);
  if (recipe.masks.share > 0) batch.masks = masks_at(step);
  if (recipe.crops.gram_size > 0) {
    batch.gram_size = kGramPx;
    batch.gram = crops("gram" + std::to_string(step), 2 * kBatch * kChannels * kGramPx * kGramPx);
  }
  return batch;
}

}  // namespace dino::golden
