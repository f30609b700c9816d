#include "dino/image/pixels/workspace.h"

#include <new>

namespace dino::image {
namespace {
constexpr std::align_val_t kAlignment{64};  // a cache line, and the widest vector register
}

std::byte* Room::reserve(std::size_t bytes) {
  if (bytes > bytes_) {
    room_.reset();
    bytes_ = 0;
    room_.reset(static_cast<std::byte*>(::operator new[](bytes, kAlignment)));
    bytes_ = bytes;
  }
  return room_.get();
}

void Room::Free::operator()(std::byte* p) const {
  ::operator delete[](p, kAlignment);
}

}  // namespace dino::image
