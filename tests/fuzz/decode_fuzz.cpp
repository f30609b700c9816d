// libFuzzer entry: any bytes give an image or an Error{Format}. Seeds: tests/golden/image/files.
#include <cstddef>
#include <cstdint>
#include <span>

#include "dino/base/error.h"
#include "dino/image/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  for (const int channels : {1, 3}) try {
      dino::image::decode(bytes, channels, {.max_pixels = 1 << 20});
    } catch (const dino::Error& error) {
      if (error.kind() != dino::ErrorKind::Format) throw;
    }
  return 0;
}
