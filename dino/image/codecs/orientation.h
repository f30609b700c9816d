// Reads the orientation tag of EXIF or XMP and applies it to pixels.
#pragma once
#include <cstddef>
#include <span>

#include "dino/image/codecs/decode.h"

namespace dino::image {

/** The orientation of a JPEG, PNG or WebP file, 1 (upright) to 8 as in EXIF; 1 if none is given or
 * it is invalid. Reads only the headers of segments. Thread-safe. */
int orientation_of(std::span<const std::byte> bytes, ImageKind kind);

/** Rotates and mirrors an image so that it is upright. Orientations 5 to 8 swap width and height.
 * Thread-safe. */
Image upright(Image image, int orientation);
Planes upright(Planes planes, int orientation);

/** Maps `box` of the upright image to the stored image of `width` x `height` px. */
PixelBox stored_box(const PixelBox& box, int width, int height, int orientation);

inline bool swaps_sides(int orientation) {
  return orientation >= 5;
}

}  // namespace dino::image
