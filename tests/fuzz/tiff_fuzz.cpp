#include "dino/image/codecs/tiff_pages.h"
#include "tests/fuzz/image_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dino::image::fuzz(dino::image::ImageKind::Tiff, data, size);
  const auto file = dino::image::tiff_in_memory(std::as_bytes(std::span(data, size)));
  const std::size_t pages = dino::image::tiff_pages(file).size();
  for (std::size_t page = 0; page < pages && page < 4; ++page) try {
      const auto alone = dino::image::read_tiff_page(file, static_cast<int>(page));
      if (alone.size() > 4 * size + 4096) __builtin_trap();
    } catch (const dino::Error& error) {
      if (error.kind() != dino::ErrorKind::Format) throw;
    }
  return 0;
}
