// libFuzzer entry: any text, under each name of a list, gives paths and labels, or a refusal.
// Seeds: tests/golden/lists.
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const dino::FuzzFile files[] = {dino::FuzzFile(".csv"), dino::FuzzFile(".txt"),
                                         dino::FuzzFile(".jsonl")};
  for (const dino::FuzzFile& file : files) {
    file.write(data, size);
    dino::fuzz_source(file.path());
  }
  return 0;
}
