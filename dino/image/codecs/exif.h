// Finds the orientation of an image in its EXIF or XMP metadata.
#pragma once
#include <optional>
#include <string_view>

#include "dino/image/codecs/byte_reader.h"

namespace dino::image {

/** The orientation 1 (upright) to 8 in an EXIF block, with or without "Exif\0\0" in front; nothing
 * if none is given or it is invalid. Thread-safe, as all functions here. */
std::optional<int> orientation_in_exif(Bytes exif);

/** The orientation in an XMP packet. */
std::optional<int> orientation_in_xmp(std::string_view xmp);

/** The orientation in a PNG file: from its eXIf chunk, else from the EXIF that ImageMagick writes
 * as text, else from its XMP. */
std::optional<int> orientation_in_png(Bytes bytes);

}  // namespace dino::image
