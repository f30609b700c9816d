// libFuzzer entry: any bytes, cut to whole records, give images with labels, or a refusal.
#include <algorithm>
#include <vector>

#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const dino::FuzzFile file(".bin");
  constexpr std::size_t kRecords[] = {3073, 3074, 1000};
  const std::size_t record = kRecords[size % 3];
  std::vector<std::uint8_t> bytes(std::max<std::size_t>(1, size / record) * record);
  std::copy_n(data, std::min(size, bytes.size()), bytes.begin());
  file.write(bytes.data(), bytes.size());
  dino::fuzz_source(file.path());
  return 0;
}
