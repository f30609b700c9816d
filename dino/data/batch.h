// What a training step reads: the crops of B images, stacked crop-major (row = crop * B + image),
// normalised floats.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "dino/data/ibot_mask.h"

namespace dino::data {

/** 64-byte aligned float buffer. */
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t count);
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  std::size_t size() const { return data_ ? count_ : 0; }  // 0 once moved from
  /** Keeps the memory if it is large enough; contents are lost. */
  void resize(std::size_t count);

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::unique_ptr<float[], Free> data_;
  std::size_t count_ = 0;
  std::size_t capacity_ = 0;
};

/** The crops of B images. Sizes may differ from batch to batch (crop_mix.h). */
struct CropBatch {
  int batch_size = 0;                 ///< B
  int channels = 0;                   ///< C
  int global_size = 0;                ///< H = W of global crops, px
  int local_size = 0;                 ///< h = w of local crops, px
  int local_count = 0;                ///< V
  int gram_size = 0;                  ///< Hg = Wg of the crops for Gram's teacher, px; 0 = none
  AlignedBuffer globals;              ///< [2, B, C, H, W]
  AlignedBuffer locals;               ///< [V, B, C, h, w]
  AlignedBuffer teacher_globals;      ///< [2, B, C, H, W] without changes of colour; empty: the
                                      ///< teacher sees `globals`
  AlignedBuffer gram;                 ///< [2, B, C, Hg, Wg] the regions of `globals`, or empty
  BatchMasks masks;                   ///< of the global crops; empty if no masks are asked for
  std::vector<std::int64_t> indices;  ///< [B] data-set indices actually used
  std::int64_t iteration = 0;         ///< training iteration this batch belongs to
};

}  // namespace dino::data
