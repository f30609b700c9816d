// Quantizes rows to bytes for 8-bit products. To be included only by *_isa.cpp files, like vec.h.
#pragma once
#include <algorithm>

#include "dino/cpu/vec.h"

namespace dino::cpu::DINO_ISA {

/** The quantization step when the largest magnitude `top` maps to the integer `steps`. A `top`
 * below 1e-30 gives 1, which rounds everything to zero; NaN and infinity propagate, so that
 * results scaled by them are not finite either. */
inline vf step_of(vf top, float steps) {
  return top < 1e-30F ? broadcast(1.0F) : top / steps;
}
inline float step_of(float top, float steps) {
  return top < 1e-30F ? 1.0F : top / steps;
}

/** Quantizes x [dim] to bytes and fills out[dim ... padded) with 128. Returns the scale: x is about
 * (byte - 128) * scale. It is not finite if the row is not. */
template <typename T>
float quantize_row(const T* x, std::int64_t dim, std::uint8_t* out, std::int64_t padded) {
  vf tops = {};
  for_lanes(dim, [&](int, auto get, auto) { tops = max_magnitude(tops, get(x)); });
  const float scale = step_of(max_magnitude(tops), 127.0F), inverse = 1.0F / scale;
  const vf magic = broadcast(kRounding + 128.0F);  // also moves zero to 128
  for (std::int64_t i = 0; i < dim; i += kLanes) {
    const std::int64_t n = std::min<std::int64_t>(kLanes, dim - i);
    const vf v = n == kLanes ? load(x + i) : load_some(x + i, n);
    const vu word = bits<vu>(v * inverse + magic);
    const vb bytes = __builtin_convertvector(word & 0xff, vb);
    std::memcpy(out + i, &bytes, static_cast<std::size_t>(n));
  }
  std::fill(out + dim, out + padded, std::uint8_t{128});
  return scale;
}

}  // namespace dino::cpu::DINO_ISA
