// bfloat16, the upper half of a float, as its bits.
#pragma once
#include <bit>
#include <cstdint>

namespace dino {

/** Rounded to nearest even; NaN stays NaN, whatever its payload. */
inline std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  // Rounding would carry a payload of ones into the sign, and cut others off to infinity.
  if (value != value) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/** Exact. */
constexpr float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace dino
