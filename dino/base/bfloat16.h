// bfloat16, the upper half of a float, as its bits.
#pragma once
#include <bit>
#include <cstdint>

namespace dino {

/** Rounded to nearest even. NaN is not kept. */
inline std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace dino
