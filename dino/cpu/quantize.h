// Rounding rows to bytes, for products in 8 bits. Include only from *_isa.cpp, as vec.h.
#pragma once
#include <algorithm>

#include "dino/cpu/vec.h"

namespace dino::cpu::DINO_ISA {

/** The step between neighboring integers of `steps` to each side when the largest magnitude is
 * `top`. What is too small for a reciprocal counts as zero; NaN and infinity stay, so that whatever
 * is scaled by them is not finite either. */
inline vf step_of(vf top, float steps) {
  return top < 1e-30F ? broadcast(1.0F) : top / steps;
}
inline float step_of(float top, float steps) {
  return top < 1e-30F ? 1.0F : top / steps;
}

/** x [dim] as bytes around 128, 128 from dim to `padded`; returns the scale: x is about (byte -
 * 128)
 * * scale. The scale of a row that is not finite is not finite. */
template <typename T>
float quantize_row(const T* x, std::int64_t dim, std::uint8_t* out, std::int64_t padded) {
  vf tops = {};
  for_lanes(dim, [&](int, auto get, auto) { tops = max_magnitude(tops, get(x)); });
  const float scale = step_of(max_magnitude(tops), 127.0F), inverse = 1.0F / scale;
  const vf magic = broadcast(kRounding + 128.0F);  // moves zero to 128 too
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
