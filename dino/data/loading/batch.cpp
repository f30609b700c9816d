#include "dino/data/loading/batch.h"

#include <new>

namespace dino::data {
namespace {
constexpr std::align_val_t kAlignment{64};  // a cache line, and the widest vector register
}

AlignedBuffer::AlignedBuffer(std::size_t count, SampleType type)
    : bytes_(static_cast<std::byte*>(::operator new[](count* bytes_of(type), kAlignment))),
      count_(count),
      capacity_(count * bytes_of(type)),
      type_(type) {}

void AlignedBuffer::resize(std::size_t count, SampleType type) {
  if (!bytes_ || count * bytes_of(type) > capacity_) *this = AlignedBuffer(count, type);
  count_ = count;
  type_ = type;
}

void AlignedBuffer::Free::operator()(std::byte* p) const {
  ::operator delete[](p, kAlignment);
}

}  // namespace dino::data
