// Which stored sample values mean black and white: the one rule for samples of every kind of file.
#pragma once
#include <cmath>

namespace dino::image {

/** In stored values: `low` becomes 0 (black), `high` 1 (white). Finite, low below high. */
struct ValueRange {
  double low = 0, high = 1;
  bool operator==(const ValueRange&) const = default;
};

inline bool is_valid(const ValueRange& range) {
  return std::isfinite(range.low) && std::isfinite(range.high) && range.low < range.high &&
         std::isfinite(range.high - range.low);
}

}  // namespace dino::image
