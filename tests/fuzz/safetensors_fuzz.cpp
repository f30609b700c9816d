// libFuzzer entry: any bytes give records that lie within them or an Error{Format}. Seeds:
// tests/golden/format/*.safetensors.
#include "dino/format/safetensors.h"

#include <cstddef>
#include <cstdint>
#include <span>

#include "dino/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const dino::format::SafetensorsFile file(std::as_bytes(std::span(data, size)), "fuzz");
    unsigned sum = 0;
    for (const auto& record : file.tensors()) {
      for (const std::byte byte : record.bytes) sum += std::to_integer<unsigned>(byte);
    }
    [[maybe_unused]] volatile unsigned read = sum;  // so that every byte is touched
  } catch (const dino::Error& error) {
    if (error.kind() != dino::ErrorKind::Format) throw;
  }
  return 0;
}
