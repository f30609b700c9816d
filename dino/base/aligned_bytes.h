// Memory for vectors: the one owner of aligned bytes, for packed weights, batches and work memory.
#pragma once
#include <cstddef>
#include <memory>
#include <new>

namespace dino {

/** Bytes from a multiple of 64 on, a cache line and the widest vector register; contents undefined.
 * 64 bytes more may be read, not written, so that a vector may begin at the last of them. Memory of
 * 2 MiB and more asks for huge pages: it is read from end to end, over and over. */
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t size);
  /** Borrowed memory: const only of the owner. Inline also in kernels that are compiled once per
   * instruction set. */
  template <typename T = std::byte>
  [[gnu::always_inline]] T* data() const {
    return reinterpret_cast<T*>(memory_.get());
  }
  /** 0 once moved from. */
  [[gnu::always_inline]] std::size_t size() const { return memory_ ? size_ : 0; }

 private:
  struct Free {
    std::align_val_t alignment;
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte[], Free> memory_;
  std::size_t size_ = 0;
};

}  // namespace dino
