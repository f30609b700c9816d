// libFuzzer entry: any JSON beside weights is obeyed, or refused by Error{Format}. Seeds:
// tests/golden/configs.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dino/arch/zoo.h"
#include "dino/base/error.h"
#include "dino/base/json.h"
#include "dino/weights/hf_config.h"
#include "dino/weights/preprocessor_config.h"
#include "dino/weights/timm_config.h"

namespace {

template <typename Apply>
void expect_format_errors(const Apply& apply) {
  try {
    apply();
  } catch (const dino::Error& error) {
    if (error.kind() != dino::ErrorKind::Format) throw;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  expect_format_errors([&] {
    const nlohmann::json json = dino::parse_json(text, "fuzz", "x");
    for (const char* name : {"dino_vits16", "dinov2_vitg14_reg", "dinov3_convnext_tiny"}) {
      std::vector<std::string> notes;
      dino::weights::Detected detected;
      detected.network = dino::arch::zoo_entry(name).network;
      dino::arch::Network described = detected.network;
      expect_format_errors([&] { dino::weights::apply_timm_config(json, "x", detected); });
      expect_format_errors(
          [&] { dino::weights::apply_hf_config(json, "x", described.architecture, notes); });
      expect_format_errors([&] {
        dino::weights::apply_preprocessor_config(json, "x", described.preprocess, notes);
      });
    }
  });
  return 0;
}
