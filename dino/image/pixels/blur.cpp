// Chooses the boxes of the Gaussian blur by three box blurs along each axis; the kernels apply
// them.
#include "dino/image/pixels/blur.h"

#include "dino/image/pixels/box_blur.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/kernels.h"

namespace dino::image {
namespace {

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
  check_blur_radius(radius);
  check_gray_or_rgb(image, "blur");
  if (radius == 0 || image.empty()) return;
  workspace.kernels->box_blur(image, make_box(box_radius(static_cast<float>(radius))), workspace);
}

}  // namespace dino::image
