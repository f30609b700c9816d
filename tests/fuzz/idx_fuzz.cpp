// libFuzzer entry: any bytes give an array or an Error{Format}. Seeds: tests/golden/format/*.idx*.
#include "dino/format/idx.h"

#include <cstddef>
#include <cstdint>
#include <span>

#include "dino/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    dino::format::parse_idx(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const dino::Error& error) {
    if (error.kind() != dino::ErrorKind::Format) throw;
  }
  return 0;
}
