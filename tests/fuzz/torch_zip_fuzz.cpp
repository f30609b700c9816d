// libFuzzer entry: any bytes give a file of torch.save, in either form, whose records can be read
// through, or an Error{Format}. Seeds: tests/golden/format/*.pth.
#include "dino/format/torch_file.h"

#include <cstddef>
#include <cstdint>
#include <span>

#include "dino/base/error.h"
#include "dino/base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const dino::format::TorchFile file(std::as_bytes(std::span(data, size)), "fuzz");
    unsigned sum = static_cast<unsigned>(dino::dump_json(file.scalars()).size());
    for (const auto& record : file.tensors()) {
      for (const std::byte byte : record.bytes) sum += std::to_integer<unsigned>(byte);
    }
    [[maybe_unused]] volatile unsigned read = sum;  // so that every byte is touched
  } catch (const dino::Error& error) {
    if (error.kind() != dino::ErrorKind::Format) throw;
  }
  return 0;
}
