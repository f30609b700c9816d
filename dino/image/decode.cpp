// Chooses the decoder and guards it: nothing is allocated for pixels that the file cannot hold.
#include "dino/image/decode.h"

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/image/codec.h"

namespace dino::image {
namespace {

[[noreturn]] void fail_unknown(Bytes bytes) {
  fail(ErrorKind::Format, "[decode] not a JPEG or PNG image: the bytes look like {}",
       describe(bytes));
}

}  // namespace

void check_size(std::int64_t width, std::int64_t height, std::size_t bytes_needed, Bytes bytes,
                const DecodeLimits& limits) {
  if (width < 1 || height < 1 || height > limits.max_pixels / width)
    fail(ErrorKind::Format, "[decode] image of {} x {} px is empty or above the limit of {} px",
         width, height, limits.max_pixels);
  if (bytes.size() < bytes_needed)
    fail(ErrorKind::Format, "[decode] truncated: {} bytes cannot hold {} x {} px", bytes.size(),
         width, height);
}

ImageInfo peek(Bytes bytes) {
  switch (kind_of(bytes)) {
    case ImageKind::Jpeg:
      return peek_jpeg(bytes);
    case ImageKind::Png:
      return peek_png(bytes);
    case ImageKind::Unknown:
      break;
  }
  fail_unknown(bytes);
}

Image decode(Bytes bytes, int channels, const DecodeLimits& limits) {
  if (channels != 1 && channels != 3)
    fail(ErrorKind::Usage, "[decode] channels must be 1 (grey) or 3 (RGB): {}", channels);
  switch (kind_of(bytes)) {
    case ImageKind::Jpeg:
      return decode_jpeg(bytes, channels, limits);
    case ImageKind::Png:
      return decode_png(bytes, channels, limits);
    case ImageKind::Unknown:
      break;
  }
  fail_unknown(bytes);
}

Image decode_file(const std::filesystem::path& path, int channels, const DecodeLimits& limits) {
  const std::vector<std::byte> bytes = read_file(path);
  try {
    return decode(bytes, channels, limits);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{} ({})", error.what(), path.string()));
  }
}

}  // namespace dino::image
