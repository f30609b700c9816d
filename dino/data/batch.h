// What a training step reads: the crops of B images, stacked crop-major (row = crop * B + image),
// normalised floats.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

namespace dino::data {

/** 64-byte aligned float buffer. */
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t count);
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  std::size_t size() const { return data_ ? count_ : 0; }  // 0 once moved from

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::unique_ptr<float[], Free> data_;
  std::size_t count_ = 0;
};

struct CropBatch {
  int batch_size = 0;                 ///< B
  int channels = 0;                   ///< C
  int global_size = 0;                ///< H = W of global crops, px
  int local_size = 0;                 ///< h = w of local crops, px
  int local_count = 0;                ///< V
  AlignedBuffer globals;              ///< [2, B, C, H, W]
  AlignedBuffer locals;               ///< [V, B, C, h, w]
  std::vector<std::int64_t> indices;  ///< [B] data-set indices actually used
  std::int64_t iteration = 0;         ///< training iteration this batch belongs to
};

}  // namespace dino::data
