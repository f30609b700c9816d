// The augmentations' pixel operations on planes of floats, for bands and samples above 8 bits. On
// 8-bit data they agree with resize.h and color.h to a level of 255, with blur.h, which rounds six
// times on the way, to three (a third of a level on average).
#pragma once
#include "dino/image/pixels/resize.h"
#include "dino/image/planes.h"

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

/** Blends with the luma. No effect unless there are three channels; cut as above. */
void adjust_saturation(Planes& planes, double factor);

/** Turns the hue by `turns` in [-0.5, 0.5], as torchvision does to tensors. No effect unless there
 * are three channels; cut as above. */
void adjust_hue(Planes& planes, double turns);

/** Replaces three channels by their luma. No effect on other numbers. */
void to_grayscale(Planes& planes);

/** Inverts (1 - v) all samples at or above `threshold`; for samples in [0, 1]. */
void solarize(Planes& planes, float threshold = 128.0F / 255);

/** gaussian_blur() of blur.h: three box blurs along each axis; the border repeats. Throws
 * Error{Usage} on a negative or non-finite radius. */
void gaussian_blur(Planes& planes, double radius);

/** gaussian_blur_taps() of tap_blur.h. Throws as that does. */
void gaussian_blur_taps(Planes& planes, double sigma, int taps);

/** Lowest and highest sample. */
struct SampleRange {
  float low = 0, high = 1;
};
/** Of all bands together; of samples that are all alike [0, 1]. */
SampleRange sample_range(const Planes& planes);

/** For people to look at: `range` becomes 0 to 255; the first three bands as RGB, or the first as
 * gray where there are fewer. */
Image to_picture(const Planes& planes, SampleRange range);

}  // namespace dino::image
