#include "dino/data/batch.h"

#include <new>

namespace dino::data {
namespace {
constexpr std::align_val_t kAlignment{64};  // a cache line, and the widest vector register
}

AlignedBuffer::AlignedBuffer(std::size_t count)
    : data_(static_cast<float*>(::operator new[](count * sizeof(float), kAlignment))),
      count_(count),
      capacity_(count) {}

void AlignedBuffer::resize(std::size_t count) {
  if (!data_ || count > capacity_)
    *this = AlignedBuffer(count);
  else
    count_ = count;
}

void AlignedBuffer::Free::operator()(float* p) const {
  ::operator delete[](p, kAlignment);
}

}  // namespace dino::data
