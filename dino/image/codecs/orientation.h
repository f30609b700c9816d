// Which way up a photograph is, by the orientation tag of EXIF or XMP, and turning pixels by it.
#pragma once
#include <cstddef>
#include <span>

#include "dino/image/codecs/decode.h"

namespace dino::image {

/** 1 (upright) to 8 as EXIF numbers them, of a JPEG, PNG or WebP file; 1 where none is given or it
 * makes no sense. Reads only headers of segments. Thread-safe. */
int orientation_of(std::span<const std::byte> bytes, ImageKind kind);

/** The image as it is meant to be seen. Orientations 5 to 8 swap width and height. Thread-safe. */
Image upright(Image image, int orientation);
Planes upright(Planes planes, int orientation);

/** Where `box` of the upright image lies in the stored one of `width` x `height` px. */
PixelBox stored_box(const PixelBox& box, int width, int height, int orientation);

inline bool swaps_sides(int orientation) {
  return orientation >= 5;
}

}  // namespace dino::image
