// PNG through libspng; colour-management chunks are ignored as Pillow's convert() does.
#include <spng.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/codec.h"
#include "dino/image/color.h"
#include "dino/image/encode.h"
#include "dino/image/png_chunks.h"

namespace dino::image {
namespace {

using Context = std::unique_ptr<spng_ctx, decltype([](spng_ctx* c) { spng_ctx_free(c); })>;

void check(int status, const char* what) {
  if (status != SPNG_OK) fail_damaged("PNG", fmt::format("{} ({})", spng_strerror(status), what));
}

/** The file without the chunks that no pixel depends on: libspng refuses a file for an empty one, a
 * damaged one or more than a thousand of them. */
std::vector<std::byte> without_metadata(Bytes bytes) {
  std::vector<std::byte> kept(
      bytes.begin(),
      bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(bytes.size(), 8)));
  kept.reserve(bytes.size());
  PngChunks chunks(bytes);
  while (const auto chunk = chunks.next())
    if (chunk->is_critical() || chunk->type == "tRNS")
      kept.insert(kept.end(), chunk->whole.begin(), chunk->whole.end());
  kept.insert(kept.end(), chunks.rest().begin(), chunks.rest().end());
  return kept;
}

/** Decodes `bytes`, which must outlive it. */
Context open_png(Bytes bytes, spng_ihdr& header) {
  Context context(spng_ctx_new(0));
  DINO_ASSERT(context);
  check(spng_set_crc_action(context.get(), SPNG_CRC_ERROR, SPNG_CRC_DISCARD), "setup");
  check(spng_set_png_buffer(context.get(), bytes.data(), bytes.size()), "setup");
  check(spng_get_ihdr(context.get(), &header), "header");
  return context;
}

bool is_grey(const spng_ihdr& header) {
  return header.color_type == SPNG_COLOR_TYPE_GRAYSCALE ||
         header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
}

std::size_t samples_per_pixel(const spng_ihdr& header) {
  switch (header.color_type) {
    case SPNG_COLOR_TYPE_TRUECOLOR:
      return 3;
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA:
      return 4;
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
      return 2;
    default:
      return 1;
  }
}

/** Checks that pixels of this header may be made room for. */
void check_pixels(const spng_ihdr& header, Bytes bytes, const DecodeOptions& options) {
  const std::size_t bits_per_pixel = samples_per_pixel(header) * header.bit_depth;
  constexpr std::size_t kBestDeflateRatio = 1032;
  const std::size_t needed =
      std::size_t{header.width} * header.height / 8 * bits_per_pixel / kBestDeflateRatio;
  check_size(header.width, header.height, needed, bytes, options);
}

void decode_pixels(spng_ctx* context, void* pixels, std::size_t size, spng_format format,
                   int flags) {
  check(spng_decode_image(context, pixels, size, format, flags), "pixels");
  // The checksum of the last pixel data comes after them; what else follows is metadata and may be
  // missing.
  const int rest = spng_decode_chunks(context);
  if (rest == SPNG_ECHUNK_CRC) check(rest, "pixels");
}

bool has_alpha(spng_ctx* context, const spng_ihdr& header) {
  spng_trns transparent{};
  return header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
         header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA ||
         spng_get_trns(context, &transparent) == SPNG_OK;
}

/** The first or the others of each pixel's four RGBA samples, packed. */
template <typename Sample>
std::vector<Sample> pack(std::vector<Sample> rgba, bool grey, bool alpha) {
  if (!grey && alpha) return rgba;
  const std::size_t pixels = rgba.size() / 4;
  Sample* to = rgba.data();
  for (std::size_t i = 0; i < pixels; ++i) {
    const Sample* from = rgba.data() + 4 * i;
    const Sample alpha_value = from[3];
    for (int c = 0; c < (grey ? 1 : 3); ++c) *to++ = from[c];
    if (alpha) *to++ = alpha_value;
  }
  rgba.resize(static_cast<std::size_t>(to - rgba.data()));
  return rgba;
}

}  // namespace

ImageInfo peek_png(Bytes bytes, const DecodeOptions&) {
  spng_ihdr header{};
  const std::vector<std::byte> file = without_metadata(bytes);
  const Context context = open_png(file, header);
  return {.kind = ImageKind::Png,
          .width = static_cast<int>(header.width),
          .height = static_cast<int>(header.height),
          .channels = is_grey(header) ? 1 : 3,
          .bits = header.color_type == SPNG_COLOR_TYPE_INDEXED ? 8 : header.bit_depth,
          .has_alpha = has_alpha(context.get(), header)};
}

Image decode_png(Bytes bytes, int channels, const DecodeOptions& options) {
  spng_ihdr header{};
  const std::vector<std::byte> file = without_metadata(bytes);
  const Context context = open_png(file, header);
  check_pixels(header, bytes, options);
  // libspng makes one-channel output only of plain grey up to 8 bit; the rest goes through RGB.
  const bool direct_grey =
      channels == 1 && header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && header.bit_depth <= 8;
  Image image(static_cast<int>(header.width), static_cast<int>(header.height), direct_grey ? 1 : 3);
  decode_pixels(context.get(), image.pixels.data(), image.pixels.size(),
                direct_grey ? SPNG_FMT_G8 : SPNG_FMT_RGB8, 0);
  return image.channels == channels ? image : grey_copy(image);
}

Raster read_png(Bytes bytes, const DecodeOptions& options) {
  spng_ihdr header{};
  const std::vector<std::byte> file = without_metadata(bytes);
  const Context context = open_png(file, header);
  check_pixels(header, bytes, options);
  const bool grey = is_grey(header), alpha = has_alpha(context.get(), header);
  const auto read = [&]<typename Sample>(Sample, spng_format format) {
    std::vector<Sample> rgba(std::size_t{4} * header.width * header.height);
    decode_pixels(context.get(), rgba.data(), rgba.size() * sizeof(Sample), format,
                  SPNG_DECODE_TRNS);
    return pack(std::move(rgba), grey, alpha);
  };
  Raster raster{.width = static_cast<int>(header.width),
                .height = static_cast<int>(header.height),
                .samples = (grey ? 1 : 3) + (alpha ? 1 : 0),
                .is_rgb = !grey,
                .has_alpha = alpha,
                .values = {}};
  if (header.bit_depth == 16)
    raster.values = read(std::uint16_t{}, SPNG_FMT_RGBA16);
  else
    raster.values = read(std::uint8_t{}, SPNG_FMT_RGBA8);
  return raster;
}

std::vector<std::byte> encode_png(const Image& image) {
  check_encodable(image);
  const auto check_encoder = [](int status) {
    if (status != SPNG_OK)
      fail(ErrorKind::Internal, "[encode] PNG encoder failed: {}", spng_strerror(status));
  };
  const Context context(spng_ctx_new(SPNG_CTX_ENCODER));
  DINO_ASSERT(context);
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(image.width);
  header.height = static_cast<std::uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = image.channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR;
  check_encoder(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1));
  check_encoder(spng_set_ihdr(context.get(), &header));
  check_encoder(spng_encode_image(context.get(), image.pixels.data(), image.pixels.size(),
                                  SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE));
  std::size_t size = 0;
  int status = SPNG_OK;
  const std::unique_ptr<void, decltype([](void* p) { std::free(p); })> buffer(
      spng_get_png_buffer(context.get(), &size, &status));
  check_encoder(status);
  const auto* begin = static_cast<const std::byte*>(buffer.get());
  return {begin, begin + size};
}

}  // namespace dino::image
