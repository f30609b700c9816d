// Shrinking by whole factors with box averages: the cheap first step of Pillow's thumbnail().
#pragma once
#include "dino/image/image.h"
#include "dino/image/pixels/resize.h"

namespace dino::image {

/** Each pixel is the rounded mean of a factor_x x factor_y block (of an incomplete one at the right
 * and lower border), bit for bit as Pillow's Image.reduce. Throws Error{Usage} on an empty image
 * or factors below 1. Thread-safe. */
Image reduce(const Image& source, int factor_x, int factor_y);

/** resize(), preceded by reduce() where the image shrinks to a quarter or less: bit for bit
 * Pillow's resize(..., reducing_gap=2), which is what thumbnail() does. Thread-safe. */
Image resize_reduced(const Image& source, int width, int height, Filter filter);

}  // namespace dino::image
