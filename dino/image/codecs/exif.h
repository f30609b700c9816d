// Which way up a photograph is, as its metadata say.
#pragma once
#include <optional>
#include <string_view>

#include "dino/image/codecs/byte_reader.h"

namespace dino::image {

/** 1 (upright) to 8 of an EXIF block, with or without "Exif\0\0" in front; nothing where none is
 * given or it makes no sense. */
std::optional<int> orientation_in_exif(Bytes exif);

/** The same of an XMP packet. */
std::optional<int> orientation_in_xmp(std::string_view xmp);

/** The same of a PNG file: its eXIf chunk or, without one, the EXIF that ImageMagick writes as
 * text; else its XMP. */
std::optional<int> orientation_in_png(Bytes bytes);

}  // namespace dino::image
