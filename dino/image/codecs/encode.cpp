// The format-independent part of writing images; the encoders themselves stand beside their
// decoders.
#include "dino/image/codecs/encode.h"

#include "dino/base/error.h"
#include "dino/base/file.h"

namespace dino::image {

void write_png(const std::filesystem::path& path, const Image& image) {
  const std::vector<std::byte> bytes = encode_png(image);
  write_file_atomically(path, [&](const auto& sink) { sink(bytes); });
}

void check_encodable(const Image& image) {
  const bool whole =
      image.width > 0 && image.height > 0 && (image.channels == 1 || image.channels == 3) &&
      image.pixels.size() == image.row_bytes() * static_cast<std::size_t>(image.height);
  if (!whole)
    fail(ErrorKind::Usage, "[encode] not an image: {} x {} px, {} channels, {} bytes", image.width,
         image.height, image.channels, image.pixels.size());
}

}  // namespace dino::image
