// Gaussian blur as Pillow's ImageFilter.GaussianBlur approximates it (three box blurs of fractional
// radius), bit for bit.
#pragma once
#include "dino/image/image.h"
#include "dino/image/pixels/workspace.h"

namespace dino::image {

/** Blurs in place with standard deviation `radius` px >= 0; pixels beyond the border equal the
 * nearest one. Throws Error{Usage} on a negative or non-finite radius. Thread-safe on different
 * images. */
void gaussian_blur(Image& image, double radius);

/** As above, with scratch memory that is reused between calls. */
void gaussian_blur(Image& image, double radius, Workspace& workspace);

}  // namespace dino::image
