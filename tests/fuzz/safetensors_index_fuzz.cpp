// libFuzzer entry: any text gives an index whose files are plain names, or an Error{Format}. Seeds:
// tests/golden/format/sharded/*.json.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dino/base/error.h"
#include "dino/format/sharded_safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto index =
        dino::format::parse_safetensors_index({reinterpret_cast<const char*>(data), size}, "fuzz");
    for (const auto& [tensor, file] : index.weight_map) {
      if (file.empty() || file == ".." || file.find('/') != file.npos) std::abort();
    }
  } catch (const dino::Error& error) {
    if (error.kind() != dino::ErrorKind::Format) throw;
  }
  return 0;
}
