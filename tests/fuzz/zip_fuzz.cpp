// libFuzzer entry: any bytes give a list of members, each of which unpacks or is refused. Seeds:
// tests/golden/data/*.zip and tests/golden/format.
#include "dino/format/zip.h"

#include <span>

#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const dino::FuzzFile written(".zip");
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto entries = dino::format::list_zip(bytes, "fuzz");
    if (entries.empty()) return 0;
    written.write(data, size);
    const dino::RandomAccessFile file(written.path());
    for (const dino::format::ZipEntry& entry : entries) try {
        if (entry.name.empty() || entry.begin > size || entry.packed > size) __builtin_trap();
        std::byte head[16];
        const std::size_t got = dino::format::read_zip_head(file, entry, head);
        std::size_t total = 0;
        dino::format::unpack_zip_member(file, entry, [&](auto piece) { total += piece.size(); });
        if (got > total || (got < sizeof head && got != total)) __builtin_trap();
      } catch (const dino::Error& error) {
        if (error.kind() != dino::ErrorKind::Format) throw;
      }
  } catch (const dino::Error& error) {
    if (error.kind() != dino::ErrorKind::Format) throw;
  }
  return 0;
}
