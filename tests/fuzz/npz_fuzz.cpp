// libFuzzer entry: any bytes named .npz give images and labels, or a refusal. Seeds:
// tests/golden/data/*.npz.
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const dino::FuzzFile file(".npz");
  file.write(data, size);
  dino::fuzz_source(file.path());
  return 0;
}
