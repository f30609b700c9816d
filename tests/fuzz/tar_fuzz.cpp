// libFuzzer entry: any bytes give members that lie within them or an Error{Format}. Seeds:
// tests/golden/format/*.tar.
#include "dino/format/tar.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "dino/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    dino::SpanSource source(std::as_bytes(std::span(data, size)));
    dino::format::TarReader reader(source, "fuzz");
    while (const auto member = reader.next()) {
      std::byte buffer[4096];
      std::uint64_t total = 0;
      while (const std::size_t count = reader.read(buffer)) total += count;
      if (total != member->size && member->refused.empty()) std::abort();
      if (!member->sparse && member->offset + total > size) std::abort();
      // Of the zeros of a sparse member there are at most so many for each byte.
      if (member->sparse && total > (64 << 20) && total / 1032 > size) std::abort();
    }
  } catch (const dino::Error& error) {
    if (error.kind() != dino::ErrorKind::Format) throw;
  }
  return 0;
}
