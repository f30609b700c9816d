// HEIC and AVIF, the primary image of the file, through libheif. Gray files give color, as libheif
// tells them apart only after decoding.
#include <libheif/heif.h>

#include <cstring>
#include <memory>

#include "dino/base/error.h"
#include "dino/image/codecs/codec.h"
#include "dino/image/codecs/heif_size.h"

namespace dino::image {
namespace {

using Context =
    std::unique_ptr<heif_context, decltype([](heif_context* c) { heif_context_free(c); })>;
using Handle =
    std::unique_ptr<heif_image_handle,
                    decltype([](heif_image_handle* h) { heif_image_handle_release(h); })>;
using Picture = std::unique_ptr<heif_image, decltype([](heif_image* i) { heif_image_release(i); })>;
using Settings =
    std::unique_ptr<heif_decoding_options,
                    decltype([](heif_decoding_options* o) { heif_decoding_options_free(o); })>;

std::string_view format_name(ImageKind kind) {
  return kind == ImageKind::Avif ? "AVIF" : "HEIC";
}

void check(const heif_error& status, ImageKind kind) {
  if (status.code == heif_error_Ok) return;
  if (status.code == heif_error_Unsupported_filetype ||
      status.code == heif_error_Unsupported_feature)
    fail(ErrorKind::Format, "[decode] {} of a kind that is not supported: {}", format_name(kind),
         status.message);
  fail_damaged(format_name(kind), status.message);
}

/** A file's primary image, not decoded yet. */
struct Primary {
  Context context;  // outlives the handle
  Handle handle;

  int width() const { return heif_image_handle_get_width(handle.get()); }
  int height() const { return heif_image_handle_get_height(handle.get()); }
  bool has_alpha() const { return heif_image_handle_has_alpha_channel(handle.get()) != 0; }
  int bits() const { return heif_image_handle_get_luma_bits_per_pixel(handle.get()); }
};

Primary open(Bytes bytes, ImageKind kind) {
  Primary primary{.context = Context(heif_context_alloc()), .handle = nullptr};
  DINO_ASSERT(primary.context);
  // The loader has its own threads, one per image.
  heif_context_set_max_decoding_threads(primary.context.get(), 0);
  check(heif_context_read_from_memory_without_copy(primary.context.get(), bytes.data(),
                                                   bytes.size(), nullptr),
        kind);
  heif_image_handle* handle = nullptr;
  check(heif_context_get_primary_image_handle(primary.context.get(), &handle), kind);
  primary.handle.reset(handle);
  if (primary.bits() < 1 || primary.bits() > 16)
    fail_damaged(format_name(kind), fmt::format("{} bits per sample", primary.bits()));
  return primary;
}

/** The colors of pixels that were multiplied by their alpha. */
template <typename Sample>
void divide_by_alpha(std::vector<Sample>& rgba, std::uint32_t most) {
  for (std::size_t i = 0; i < rgba.size(); i += 4) {
    const std::uint32_t alpha = rgba[i + 3];
    for (std::size_t c = 0; alpha > 0 && c < 3; ++c)
      rgba[i + c] = static_cast<Sample>(std::min(most, (rgba[i + c] * most + alpha / 2) / alpha));
  }
}

template <typename Sample>
std::vector<Sample> copy_rows(const heif_image* picture, int height, std::size_t row_samples) {
  int stride = 0;
  const std::uint8_t* from =
      heif_image_get_plane_readonly(picture, heif_channel_interleaved, &stride);
  std::vector<Sample> values(row_samples * static_cast<std::size_t>(height));
  for (int y = 0; y < height; ++y)
    std::memcpy(values.data() + static_cast<std::size_t>(y) * row_samples,
                from + static_cast<std::ptrdiff_t>(y) * stride, row_samples * sizeof(Sample));
  return values;
}

}  // namespace

ImageInfo peek_heif(Bytes bytes, ImageKind kind, const DecodeOptions&) {
  const Primary primary = open(bytes, kind);
  return {.kind = kind,
          .width = primary.width(),
          .height = primary.height(),
          .channels = 3,
          .bits = primary.bits(),
          .has_alpha = primary.has_alpha()};
}

Raster read_heif(Bytes bytes, ImageKind kind, const DecodeOptions& options) {
  const Primary primary = open(bytes, kind);
  check_size(primary.width(), primary.height(), 0, bytes, options);
  const CodedSize coded = largest_coded_size(bytes);
  if (coded.width > 0) check_size(coded.width, coded.height, 0, bytes, options);
  const bool alpha = primary.has_alpha(), wide = primary.bits() > 8;
  const heif_chroma chroma =
      wide    ? alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE
      : alpha ? heif_chroma_interleaved_RGBA
              : heif_chroma_interleaved_RGB;
  const Settings settings(heif_decoding_options_alloc());
  DINO_ASSERT(settings);
  settings->strict_decoding = 1;
  heif_image* decoded = nullptr;
  check(heif_decode_image(primary.handle.get(), &decoded, heif_colorspace_RGB, chroma,
                          settings.get()),
        kind);
  const Picture picture(decoded);
  if (heif_image_get_primary_width(decoded) != primary.width() ||
      heif_image_get_primary_height(decoded) != primary.height())
    fail_damaged(format_name(kind), "the pixels have another size than the header says");

  Raster raster{.width = primary.width(),
                .height = primary.height(),
                .samples = alpha ? 4 : 3,
                .is_rgb = true,
                .has_alpha = alpha,
                .values = {}};
  const std::size_t row_samples =
      static_cast<std::size_t>(raster.width) * static_cast<std::size_t>(raster.samples);
  const bool divide = alpha && heif_image_handle_is_premultiplied_alpha(primary.handle.get()) != 0;
  if (!wide) {
    auto values = copy_rows<std::uint8_t>(decoded, raster.height, row_samples);
    if (divide) divide_by_alpha(values, 255);
    raster.values = std::move(values);
  } else {
    auto values = copy_rows<std::uint16_t>(decoded, raster.height, row_samples);
    const int bits = heif_image_get_bits_per_pixel_range(decoded, heif_channel_interleaved);
    const std::uint32_t most = (1U << bits) - 1;
    if (divide) divide_by_alpha(values, most);
    raster.declared = {0, static_cast<double>(most)};
    raster.values = std::move(values);
  }
  return raster;
}

}  // namespace dino::image
