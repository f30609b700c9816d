// The input of a training step: the crops of B images, stacked crop-major (row = crop * B + image).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dino/base/aligned_bytes.h"
#include "dino/data/crops/ibot_mask.h"

namespace dino::data {

/** The type of a batch's samples. */
enum class SampleType {
  F32,   ///< normalized
  BF16,  ///< normalized, rounded to nearest even
  U8,    ///< pixels, which the reader has to normalize
};
constexpr std::size_t bytes_of(SampleType type) {
  return type == SampleType::F32 ? 4 : type == SampleType::BF16 ? 2 : 1;
}

/** Owns samples of one type, 64-byte aligned; contents are undefined at first. */
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t count, SampleType type = SampleType::F32)
      : bytes_(count * bytes_of(type)), count_(count), type_(type) {}
  /** `Sample` must match type(): float, std::uint16_t (BF16) or std::uint8_t. This is not checked.
   */
  template <typename Sample = float>
  Sample* data() {
    return bytes_.data<Sample>();
  }
  template <typename Sample = float>
  const Sample* data() const {
    return bytes_.data<const Sample>();
  }
  SampleType type() const { return type_; }
  std::size_t size() const { return bytes_.data() != nullptr ? count_ : 0; }  // 0 after a move
  /** Changes the size, reusing the memory if it is large enough; contents are undefined afterwards.
   */
  void resize(std::size_t count, SampleType type = SampleType::F32);

 private:
  AlignedBytes bytes_;
  std::size_t count_ = 0;  // samples
  SampleType type_ = SampleType::F32;
};

/** The crops of B images. Sizes may differ between batches (crop_mix.h). */
struct CropBatch {
  int batch_size = 0;                 ///< B
  int channels = 0;                   ///< C
  int global_size = 0;                ///< H = W of global crops, px
  int local_size = 0;                 ///< h = w of local crops, px
  int local_count = 0;                ///< V
  int gram_size = 0;                  ///< Hg = Wg of the Gram teacher's crops, px; 0 = none
  AlignedBuffer globals;              ///< [2, B, C, H, W]
  AlignedBuffer locals;               ///< [V, B, C, h, w]
  AlignedBuffer teacher_globals;      ///< [2, B, C, H, W] without color changes; empty: the
                                      ///< teacher sees `globals`
  AlignedBuffer gram;                 ///< [2, B, C, Hg, Wg] same regions as `globals`, or empty
  BatchMasks masks;                   ///< masks of the global crops; empty without masks
  std::vector<std::int64_t> indices;  ///< [B] data-set indices, after replacing bad images
  std::int64_t iteration = 0;         ///< training iteration this batch belongs to
};

}  // namespace dino::data
