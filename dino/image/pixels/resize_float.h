// Resampling in floats, as PyTorch resizes tensors with antialias=True (DINOv3's transform): the
// weights of resize.h without rounding to 8 bits or clipping.
#pragma once
#include "dino/image/image.h"
#include "dino/image/pixels/resize.h"
#include "dino/image/planes.h"

namespace dino::image {

/** Scales the whole image to width x height px and divides by 255; the cubic and Lanczos filters
 * overshoot [0, 1]. Filter::Nearest takes the pixel whose area holds the center, as Pillow and
 * PyTorch's "nearest-exact" do. Throws Error{Usage} on an empty image or a target below 1 px.
 * Thread-safe. */
Planes resize_to_floats(const Image& source, int width, int height, Filter filter);

}  // namespace dino::image
