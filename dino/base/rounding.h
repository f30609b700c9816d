// Rounding of sizes and coordinates.
#pragma once
#include <cmath>
#include <type_traits>

namespace dino {

/** The smallest multiple of `step` that is at least n >= 0. Always inline: kernels that are
 * compiled once per instruction set call it, and a copy of its own would be one of theirs. */
template <typename Int>
[[gnu::always_inline]] constexpr Int round_up(Int n, std::type_identity_t<Int> step) {
  return (n + step - 1) / step * step;
}

/** The nearest integer; halves go to the even neighbor, as Python's round() does. */
inline int round_to_even(double value) {
  return static_cast<int>(std::nearbyint(value));
}

}  // namespace dino
