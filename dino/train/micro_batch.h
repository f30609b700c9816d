// The part of a batch that one forward pass sees, as tensors on the network's device.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "dino/data/loading/batch.h"

namespace dino::train {

/** How bytes become what the network is fed: (x / 255 - mean) / std for each channel. */
struct PixelScale {
  std::vector<double> mean, std;  ///< [C]
};

/** Micro-batch `part` of `parts`: images [part * B / parts, (part + 1) * B / parts) of each crop.
 */
class MicroBatch {
 public:
  /** Borrows the batch; `parts` divides its size. */
  MicroBatch(const data::CropBatch& batch, const PixelScale& scale, torch::Device device, int part,
             int parts);

  std::int64_t images() const { return images_; }
  /** Crops [views * images, C, size, size] fp32, crop-major. */
  torch::Tensor globals() const;
  /** Undefined if there are none. */
  torch::Tensor locals() const;
  /** The masks of globals(); none if the batch has none. */
  struct Masks {
    torch::Tensor masked;        ///< [2 * images, P] bool
    torch::Tensor patches;       ///< [M] int64: those that are masked, counted over all crops
    std::vector<float> weights;  ///< [M] 1 / masked patches of the same crop
  };
  Masks masks() const;
  /** The teacher's own global crops; undefined if it sees those of the student. */
  torch::Tensor teacher_globals() const;
  /** The Gram teacher's crops of the same regions; undefined if it sees globals(). */
  torch::Tensor gram_crops() const;

 private:
  torch::Tensor crops(const data::AlignedBuffer& buffer, int views, int size) const;

  const data::CropBatch& batch_;
  const PixelScale& scale_;
  torch::Device device_;
  std::int64_t images_, first_;
};

}  // namespace dino::train
