// Rounding rows to bytes, for products in 8 bits. Include only from *_isa.cpp, as vec.h.
#pragma once
#include <algorithm>

#include "dino/cpu/vec.h"

namespace dino::cpu::DINO_ISA {

/** x [dim] as bytes around 128, 128 from dim to `padded`; returns the scale: x is about (byte -
 * 128)
 * * scale. */
template <typename T>
float quantize_row(const T* x, std::int64_t dim, std::uint8_t* out, std::int64_t padded) {
  vf tops = {};
  for_lanes(dim, [&](int, auto get, auto) { tops = max(absolute(get(x)), tops); });
  const float top = max(tops), scale = top > 0 ? top / 127.0F : 1.0F, inverse = 1.0F / scale;
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
