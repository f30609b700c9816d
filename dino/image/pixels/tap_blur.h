// Gaussian blur with a kernel of a few taps, as torchvision's GaussianBlur does it to Pillow
// images; blur.h has Pillow's own, which is another function.
#pragma once
#include "dino/image/image.h"

namespace dino::image {

/** Convolves in place with a Gaussian of standard deviation `sigma` px > 0 sampled at `taps` (odd)
 * positions along each axis and normalized; the image is mirrored at its border, the outermost
 * pixel once. Within 1 level of torchvision. Throws Error{Usage} on an even or non-positive `taps`,
 * a `sigma` that is not positive and finite, or an image whose sides are not above taps / 2.
 * Thread-safe on different images. */
void gaussian_blur_taps(Image& image, double sigma, int taps);

}  // namespace dino::image
