// libFuzzer entry: any text gives a recipe that is the same written and read again, or a refusal.
// Seeds: recipes/.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dino/base/error.h"
#include "dino/recipe/recipe.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using dino::ErrorKind;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto recipe = dino::recipe::parse_recipe(text, "fuzz", "/nonexistent");
    const std::string written = dino::recipe::to_toml(recipe);
    if (dino::recipe::to_toml(dino::recipe::parse_recipe(written, "again", "/nonexistent")) !=
        written)
      __builtin_trap();
  } catch (const dino::Error& error) {
    if (error.kind() == ErrorKind::Internal) throw;
  }
  return 0;
}
