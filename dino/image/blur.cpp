// Gaussian blur as three box blurs along x and three along y (extended box blur, Gwosdek et al.
// 2011).
#include "dino/image/blur.h"

#include <cmath>

#include "dino/base/error.h"
#include "dino/image/kernels.h"

namespace dino::image {
namespace {

constexpr int kPasses = 3;             // of the kernels
constexpr double kMaxRadius = 10'000;  // px; keeps the loops over the border short

/** The box radius whose kPasses-fold blur has standard deviation `sigma`; single precision, as
 * Pillow computes it. */
float box_radius(float sigma) {
  const float variance = sigma * sigma / kPasses;
  const auto length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
  const auto whole = static_cast<float>(std::floor((length - 1.0) / 2.0));
  float fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  fraction /= 6 * (variance - (whole + 1) * (whole + 1));
  return whole + fraction;
}

BoxFilter make_box(float radius) {
  BoxFilter box;
  box.whole = static_cast<int>(radius);
  box.inner = static_cast<std::uint32_t>(static_cast<float>(1 << 24) / (radius * 2 + 1));
  box.outer = ((1u << 24) - (static_cast<std::uint32_t>(box.whole) * 2 + 1) * box.inner) / 2;
  return box;
}

}  // namespace

void gaussian_blur(Image& image, double radius) {
  Workspace workspace;
  gaussian_blur(image, radius, workspace);
}

void gaussian_blur(Image& image, double radius, Workspace& workspace) {
  if (!(radius >= 0) || radius > kMaxRadius)
    fail(ErrorKind::Usage, "[blur] radius must lie between 0 and {} px: {}", kMaxRadius, radius);
  if (radius == 0 || image.empty()) return;
  workspace.kernels->box_blur(image, make_box(box_radius(static_cast<float>(radius))), workspace);
}

}  // namespace dino::image
