// Memory on the side that is kept between calls, so that a run in steady state allocates nothing.
#pragma once
#include <cstddef>
#include <cstdint>

#include "dino/base/aligned_bytes.h"
#include "dino/image/pixels/taps.h"

namespace dino::image {

struct PixelKernels;
const PixelKernels& kernels();

/** Memory that only grows; aligned as AlignedBytes, not initialized. */
class Room {
 public:
  /** Space for `count` values, lost at the next call. */
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

/** What pixel work needs beside its input and output, and the instruction set it uses. One per
 * thread; contents mean nothing between calls. */
struct Workspace {
  explicit Workspace(const PixelKernels& table = image::kernels()) : kernels(&table) {}

  const PixelKernels* kernels;
  FixedTaps across, down;
  Room first, second, third, fourth;
};

}  // namespace dino::image
