// Conversion of float to bfloat16, which is stored as a uint16_t: the upper 16 bits of a float.
#pragma once
#include <bit>
#include <cstdint>

namespace dino {

/** Rounds to nearest, ties to even. Every NaN stays a NaN. */
inline std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  // Rounding a NaN could overflow into the sign bit, and truncating one could give infinity.
  if (value != value) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/** Exact. */
constexpr float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace dino
