// The augmentations' pixel operations on planes of floats, for bands and samples above 8 bits. On
// 8-bit data they agree with resize.h and color.h to a level of 255, with blur.h, which rounds six
// times on the way, to three (a third of a level on average).
#pragma once
#include "dino/image/planes.h"
#include "dino/image/resize.h"

namespace dino::image {

/** resize_crop() of resize.h. What filters overshoot is cut to [0, 1] after each direction as
 * there, or to the range of the source where that is wider. Throws Error{Usage} on an empty image,
 * a target below 1 px and a box outside the image. Thread-safe. */
Planes resize_crop(const Planes& source, Box box, int width, int height,
                   Filter filter = Filter::Bicubic);

/** Mirrors left and right. */
void flip_horizontal(Planes& planes);

/** Scales all samples by `factor` >= 0; the result is cut to [0, 1], or to the range the planes had
 * where that is wider. */
void adjust_brightness(Planes& planes, double factor);

/** Blends with the mean: of the luma for three channels, else of each channel; cut as above. */
void adjust_contrast(Planes& planes, double factor);

/** Inverts (1 - v) all samples at or above `threshold`; for samples in [0, 1]. */
void solarize(Planes& planes, float threshold = 128.0F / 255);

/** gaussian_blur() of blur.h: three box blurs along each axis; the border repeats. Throws
 * Error{Usage} on a negative or non-finite radius. */
void gaussian_blur(Planes& planes, double radius);

}  // namespace dino::image
