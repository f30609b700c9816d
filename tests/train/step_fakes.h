// A step put together by hand: a network of milliseconds, batches of noise, objectives as a test
// wants them.
#pragma once
#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dino/base/rng.h"
#include "dino/data/loading/batch_maker.h"
#include "dino/objectives/registry.h"
#include "dino/train/step.h"

namespace dino::test {

/** Gray crops of 8 and 4 px; 2 blocks; 32 prototypes; steps large enough to see. */
inline recipe::Recipe step_recipe() {
  recipe::Recipe r;
  r.data.channels = 1;
  r.crops.global_size = 8;
  r.crops.local_size = 4;
  r.crops.local_count = 2;
  r.crops.mean = {0.4};
  r.crops.std = {0.2};
  r.backbone = {
      .arch = "vit", .patch_size = 4, .dim = 16, .depth = 2, .heads = 2, .drop_path = 0.2};
  r.head = {.prototypes = 32, .hidden = 24, .bottleneck = 8};
  r.optim.lr_reference_batch = 0;
  r.optim.lr = 1e-3;
  r.optim.warmup_epochs = 0;
  r.optim.freeze_last_layer_epochs = 0;
  r.optim.ema_momentum = 0.9;
  r.train.epochs = 4;
  r.train.batch_size = 4;
  return r;
}

inline data::CropBatch noise_batch(const recipe::Recipe& r, std::uint64_t seed) {
  data::CropBatch batch;
  data::BatchMaker(r.crops, {.batch_size = r.train.batch_size, .channels = r.data.channels})
      .begin(batch, 0);
  Rng rng(seed);
  for (auto* buffer : {&batch.globals, &batch.locals})
    for (std::size_t i = 0; i < buffer->size(); ++i)
      buffer->data()[i] = static_cast<float>(rng.normal());
  return batch;
}

}  // namespace dino::test
