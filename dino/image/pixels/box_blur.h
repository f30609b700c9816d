// Parameters of the Gaussian blur by repeated box blurs (extended box blur, Gwosdek et al. 2011),
// shared by the 8-bit and the float version.
#pragma once
#include <cmath>

#include "dino/base/error.h"

namespace dino::image {

inline constexpr int kBoxBlurs = 3;  ///< number of box blurs along each axis

/** The box radius whose kBoxBlurs-fold blur has standard deviation `sigma`; single precision, as
 * Pillow computes it. */
inline float box_radius(float sigma) {
  const float variance = sigma * sigma / kBoxBlurs;
  const auto length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
  const auto whole = static_cast<float>(std::floor((length - 1.0) / 2.0));
  float fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  fraction /= 6 * (variance - (whole + 1) * (whole + 1));
  return whole + fraction;
}

/** Throws Error{Usage} unless the radius is in the allowed range. */
inline void check_blur_radius(double radius) {
  constexpr double kMaxRadius = 10'000;  // px; bounds the loops over the border
  if (!(radius >= 0 && radius <= kMaxRadius))
    fail(ErrorKind::Usage, "[blur] radius must lie in [0, {}] px: {}", kMaxRadius, radius);
}

}  // namespace dino::image
