#include "dino/base/aligned_bytes.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "dino/base/rounding.h"

namespace dino {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{1} << 21;

}  // namespace

AlignedBytes::AlignedBytes(std::size_t size) : size_(size) {
  const bool large = size >= kHugePage;
  const std::align_val_t alignment{large ? kHugePage : kLine};
  const std::size_t bytes = round_up(size + kLine, static_cast<std::size_t>(alignment));
  memory_ = {static_cast<std::byte*>(::operator new[](bytes, alignment)), Free{alignment}};
#if defined(__linux__)
  if (large) ::madvise(memory_.get(), bytes, MADV_HUGEPAGE);  // only a wish
#endif
}

void AlignedBytes::Free::operator()(std::byte* p) const {
  ::operator delete[](p, alignment);
}

}  // namespace dino
