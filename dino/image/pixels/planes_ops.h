// Pixel operations of the augmentations on planes of floats, for more than three bands or 8 bits.
// On 8-bit data they agree with resize.h and color.h within one level of 255, and with blur.h,
// which rounds six times, within three (a third of a level on average). Thread-safe on different
// planes.
#pragma once
#include "dino/image/pixels/resize.h"
#include "dino/image/planes.h"

namespace dino::image {

/** As resize_crop() of resize.h. Overshoots of the filter are clipped after each direction, as
 * there: to [0, 1], or to the source's range if that is wider. Throws Error{Usage} on an empty
 * image, a target below 1 px and a box outside the image. Thread-safe. */
Planes resize_crop(const Planes& source, Box box, int width, int height,
                   Filter filter = Filter::Bicubic);

/** Mirrors the planes horizontally, in place. */
void flip_horizontal(Planes& planes);

/** Scales all samples by `factor` >= 0; the result is clipped to [0, 1], or to the range of the
 * input if that is wider. */
void adjust_brightness(Planes& planes, double factor);

/** Blends with the mean of the luma for three channels, else of each channel; clipped as above. */
void adjust_contrast(Planes& planes, double factor);

/** Blends with the luma; clipped as above. No effect unless there are three channels. */
void adjust_saturation(Planes& planes, double factor);

/** Shifts the hue by `turns` in [-0.5, 0.5] of the color circle, as torchvision does for tensors;
 * clipped as above. No effect unless there are three channels. */
void adjust_hue(Planes& planes, double turns);

/** Replaces three channels by their luma. No effect on other numbers of channels. */
void to_grayscale(Planes& planes);

/** Inverts (1 - v) all samples at or above `threshold`; for samples in [0, 1]. */
void solarize(Planes& planes, float threshold = 128.0F / 255);

/** As gaussian_blur() of blur.h: three box blurs along each axis. Throws Error{Usage} on a negative
 * or non-finite radius. */
void gaussian_blur(Planes& planes, double radius);

/** As gaussian_blur_taps() of tap_blur.h, with the same errors. */
void gaussian_blur_taps(Planes& planes, double sigma, int taps);

/** Lowest and highest sample. */
struct SampleRange {
  float low = 0, high = 1;
};
/** The range over all bands; [0, 1] if all samples are equal. */
SampleRange sample_range(const Planes& planes);

/** Converts to 8 bits for display, mapping `range` to 0..255: the first three bands as RGB, or the
 * first as gray if there are fewer. */
Image to_picture(const Planes& planes, SampleRange range);

}  // namespace dino::image
