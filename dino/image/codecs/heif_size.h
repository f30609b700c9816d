// The sizes of the coded pictures inside a HEIC or AVIF file. The container tells a size of its
// own, and the codecs behind libheif take memory by theirs before anybody compares the two.
#pragma once
#include <cstdint>

#include "dino/image/codecs/byte_reader.h"

namespace dino::image {

struct CodedSize {
  std::int64_t width = 0, height = 0;  ///< px
};

/** Of the largest picture that a sequence header of the file describes (HEVC's in the decoder
 * configuration or among an item's units, AV1's); 0 x 0 if there is none. Thread-safe. */
CodedSize largest_coded_size(Bytes bytes);

}  // namespace dino::image
