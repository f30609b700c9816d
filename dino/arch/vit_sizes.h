// The sizes of ViTs that DeiT, DINO and its successors share, by their letters.
#pragma once
#include <cstdint>
#include <string_view>

#include "dino/arch/architecture.h"

namespace dino::arch {

/** MLPs are four times as wide as the tokens. */
struct VitSize {
  std::string_view name;
  std::int64_t dim = 0, depth = 0, heads = 0;
};
inline constexpr VitSize kVitTiny{"tiny", 192, 12, 3}, kVitSmall{"small", 384, 12, 6},
    kVitBase{"base", 768, 12, 12}, kVitLarge{"large", 1024, 24, 16}, kVitHuge{"huge", 1280, 32, 20},
    kVitGiant{"giant", 1536, 40, 24}, kVitSeven{"7b", 4096, 40, 32};

/** DINO's ViT of that size. */
inline Vit plain_vit(const VitSize& size, std::int64_t patch_size) {
  Vit v;
  v.dim = size.dim;
  v.depth = size.depth;
  v.heads = size.heads;
  v.hidden = 4 * size.dim;
  v.patch_size = patch_size;
  return v;
}

}  // namespace dino::arch
