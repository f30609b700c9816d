// Resampling in floats, as PyTorch resizes tensors with antialias=True (DINOv3's transform): the
// weights of resize.h, but nothing is rounded to 8 bits on the way and nothing is clipped.
#pragma once
#include "dino/image/image.h"
#include "dino/image/pixels/resize.h"
#include "dino/image/planes.h"

namespace dino::image {

/** The whole image scaled to width x height px, as values / 255; the cubic and Lanczos filters
 * overshoot [0, 1]. Filter::Nearest takes the pixel whose area holds the center, as Pillow and
 * PyTorch's "nearest-exact" do. Throws Error{Usage} on an empty image or a target below 1 px.
 * Thread-safe. */
Planes resize_to_floats(const Image& source, int width, int height, Filter filter);

}  // namespace dino::image
