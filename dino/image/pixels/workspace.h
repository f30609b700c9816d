// Scratch memory of the pixel operations. It is reused between calls, so that a steady state
// allocates nothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

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
    return reinterpret_cast<T*>(reserve(count * sizeof(T)));
  }

 private:
  std::byte* reserve(std::size_t bytes);
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte[], Free> room_;
  std::size_t bytes_ = 0;
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
