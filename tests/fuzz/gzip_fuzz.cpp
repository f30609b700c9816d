// libFuzzer entry: any bytes unpack to no more than deflate can hold, in pieces of any size alike,
// or give an Error{Format}. Seeds: tests/golden/format/*.gz.
#include "dino/format/gzip.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dino/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using dino::format::GzipReader;
  const auto bytes = std::as_bytes(std::span(data, size));
  for (const auto wrapper : {dino::format::Wrapper::Gzip, dino::format::Wrapper::None}) {
    const auto unpacked = [&](std::size_t piece) -> std::size_t {
      try {
        GzipReader reader(bytes, "fuzz", wrapper);
        std::vector<std::byte> out(piece);
        std::size_t total = 0;
        for (std::size_t got = piece; got == piece; total += got) got = reader.read(out);
        return total + 1;
      } catch (const dino::Error& error) {
        if (error.kind() != dino::ErrorKind::Format) throw;
        return 0;
      }
    };
    const std::size_t whole = unpacked(1 << 16);
    if (whole != unpacked(999) || whole > size * dino::format::kMaxGzipRatio + 1) __builtin_trap();
  }
  return 0;
}
