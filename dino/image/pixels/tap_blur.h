// Gaussian blur with a kernel of a few taps, like torchvision's GaussianBlur on Pillow images.
// Pillow's own blur, which gives other pixels, is in blur.h.
#pragma once
#include "dino/image/image.h"

namespace dino::image {

/** Convolves in place with a Gaussian of standard deviation `sigma` px > 0 sampled at `taps` (odd)
 * positions along each axis and normalized; the border is mirrored without repeating the outermost
 * pixel. Within 1 level of torchvision. Throws Error{Usage} on an even or non-positive `taps`, a
 * `sigma` that is not positive and finite, or an image whose sides are not above taps / 2.
 * Thread-safe on different images. */
void gaussian_blur_taps(Image& image, double sigma, int taps);

}  // namespace dino::image
