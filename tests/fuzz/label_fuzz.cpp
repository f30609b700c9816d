// libFuzzer entry: any bytes of a side file give a short printable label, none, or an
// Error{Format}. Seeds: tests/golden/lists.
#include "dino/data/sources/label_text.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dino/base/error.h"
#include "dino/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool json : {false, true}) try {
      const std::string label = dino::data::parse_label(text, json);
      if (label.size() > 200 || label != dino::printable(std::string_view(label))) __builtin_trap();
    } catch (const dino::Error& error) {
      if (error.kind() != dino::ErrorKind::Format) throw;
    }
  return 0;
}
