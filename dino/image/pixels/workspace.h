// Scratch memory of the pixel operations. It is reused between calls, so that a steady state
// allocates nothing.
#pragma once
#include <cstddef>
#include <cstdint>

#include "dino/base/aligned_bytes.h"
#include "dino/image/pixels/taps.h"

namespace dino::image {

struct PixelKernels;
const PixelKernels& kernels();

/** A scratch buffer that only grows; 64-byte aligned, not initialized. */
class Room {
 public:
  /** Memory for `count` values; invalidated by the next call. */
  template <typename T>
  [[gnu::always_inline]] T* get(std::size_t count) {
    if (count * sizeof(T) > bytes_.size()) grow(count * sizeof(T));
    return bytes_.data<T>();
  }

 private:
  void grow(std::size_t bytes);

  AlignedBytes bytes_;
};

using FixedTaps = Taps<std::int32_t>;  ///< weights with kWeightBits fraction bits

/** Scratch memory and the instruction set to use. Not thread-safe: use one per thread. Contents are
 * undefined between calls. */
struct Workspace {
  explicit Workspace(const PixelKernels& table = image::kernels()) : kernels(&table) {}

  const PixelKernels* kernels;
  FixedTaps across, down;
  Room first, second, third, fourth;
};

}  // namespace dino::image
