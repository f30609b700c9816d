// Conversion between float and IEEE half precision, stored as a uint16_t (F16 in safetensors, f2 in
// NPY).
#pragma once
#include <bit>
#include <cstdint>

namespace dino {

/** Rounds to nearest, ties to even; magnitudes from 65520 on become infinity. NaN stays NaN. */
constexpr std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000U;
  std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  std::uint32_t half = 0;
  if (magnitude > 0x7F800000U) {
    half = 0x7E00U | (magnitude >> 13 & 0x3FFU);
  } else if (magnitude >= 0x477FF000U) {  // 65520 is half way from the largest half to the next
    half = 0x7C00U;
  } else if (magnitude < 0x38800000U) {  // below 2^-14 halves are multiples of 2^-24, as floats
                                         // from 0.5 to 1 are: adding 0.5 does the rounding
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3F000000U;
  } else {
    const std::uint32_t odd = magnitude >> 13 & 1U;
    magnitude -= 112U << 23;  // exponent bias 127 -> 15
    half = (magnitude + 0xFFFU + odd) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

/** Every half is exactly representable as a float. */
constexpr float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t rest = half & 0x7FFFU;
  if (rest >= 0x7C00U) return std::bit_cast<float>(sign | 0x7F800000U | (rest & 0x3FFU) << 13);
  if (rest < 0x400U)  // zero and subnormal: multiples of 2^-24
    return std::bit_cast<float>(sign |
                                std::bit_cast<std::uint32_t>(static_cast<float>(rest) * 0x1p-24F));
  return std::bit_cast<float>(sign | ((rest << 13) + (112U << 23)));
}

}  // namespace dino
