#include "tests/fuzz/image_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dino::image::fuzz(dino::image::ImageKind::Jpeg2000, data, size);
  return 0;
}
