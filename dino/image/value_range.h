// The stored sample values that mean black and white, for every file format.
#pragma once
#include <cmath>

namespace dino::image {

/** Stored values that become 0 (black) and 1 (white). Both are finite, and low < high. */
struct ValueRange {
  double low = 0, high = 1;
  bool operator==(const ValueRange&) const = default;
};

inline bool is_valid(const ValueRange& range) {
  return std::isfinite(range.low) && std::isfinite(range.high) && range.low < range.high &&
         std::isfinite(range.high - range.low);
}

}  // namespace dino::image
