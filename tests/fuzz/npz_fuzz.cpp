// libFuzzer entry: any bytes named .npz give images and labels, or a refusal. Seeds:
// tests/golden/data/*.npz.
#include <span>

#include "dino/format/zip.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const dino::FuzzFile file(".npz");
  try {
    if (dino::format::list_zip(std::as_bytes(std::span(data, size)), "fuzz").empty()) return 0;
  } catch (const dino::Error&) {
    return 0;  // no file need be written: zip_fuzz looks at these
  }
  file.write(data, size);
  dino::fuzz_source(file.path());
  return 0;
}
