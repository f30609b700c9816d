// Finds the sizes of the coded pictures inside a HEIC or AVIF file. They may exceed the size that
// the container declares, and the codecs behind libheif allocate memory by them before the two are
// compared.
#pragma once
#include <cstdint>

#include "dino/image/codecs/byte_reader.h"

namespace dino::image {

struct CodedSize {
  std::int64_t width = 0, height = 0;  ///< px
};

/** The size of the largest picture that a sequence header of the file describes (HEVC's in the
 * decoder configuration or among an item's units, AV1's); 0 x 0 if there is none. Thread-safe. */
CodedSize largest_coded_size(Bytes bytes);

}  // namespace dino::image
