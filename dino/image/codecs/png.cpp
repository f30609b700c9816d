// PNG through libpng; color-management chunks are ignored as Pillow's convert() does. libpng
// reports errors by longjmp: setjmp stays in functions that own nothing, so that no destructor is
// ever jumped over.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/codecs/codec.h"
#include "dino/image/codecs/encode.h"
#include "dino/image/codecs/png_chunks.h"
#include "dino/image/pixels/color.h"

namespace dino::image {
namespace {

constexpr png_uint_32 kLargestSide = 0x7FFFFFFF;

/** The jump target and the message of libpng's errors. */
struct ErrorTrap {
  std::jmp_buf back;
  char message[128] = "";

  [[noreturn]] static void spring(png_structp png, png_const_charp message) {
    auto& trap = *static_cast<ErrorTrap*>(png_get_error_ptr(png));
    std::strncpy(trap.message, message, sizeof trap.message - 1);
    std::longjmp(trap.back, 1);
  }
  static void ignore(png_structp, png_const_charp) {}
};

/** The file without the chunks that do not affect pixels, so that errors in them, or their number,
 * do not matter. */
std::vector<std::byte> without_metadata(Bytes bytes) {
  const std::size_t signature = std::min<std::size_t>(bytes.size(), 8);
  std::vector<std::byte> kept(bytes.begin(),
                              bytes.begin() + static_cast<std::ptrdiff_t>(signature));
  kept.reserve(bytes.size());
  PngChunks chunks(bytes);
  while (const auto chunk = chunks.next())
    if (chunk->is_critical() || chunk->type == "tRNS")
      kept.insert(kept.end(), chunk->whole.begin(), chunk->whole.end());
  kept.insert(kept.end(), chunks.rest().begin(), chunks.rest().end());
  return kept;
}

class Decoder {
 public:
  /** Reads the header. Throws Error{Format}. */
  explicit Decoder(Bytes bytes) : file_(without_metadata(bytes)) {
    png_ =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, &trap_, ErrorTrap::spring, ErrorTrap::ignore);
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (info_ && read_header()) return;
    png_destroy_read_struct(&png_, &info_, nullptr);
    raise();
  }
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  png_uint_32 width() const { return png_get_image_width(png_, info_); }
  png_uint_32 height() const { return png_get_image_height(png_, info_); }
  int bits() const { return png_get_bit_depth(png_, info_); }
  bool is_palette() const { return png_get_color_type(png_, info_) == PNG_COLOR_TYPE_PALETTE; }
  bool is_gray() const { return (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) == 0; }
  bool has_alpha() const {
    return (png_get_color_type(png_, info_) & PNG_COLOR_MASK_ALPHA) != 0 ||
           png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
  }
  /** Bits of a pixel in the file. */
  std::size_t pixel_bits() const {
    return std::size_t{png_get_channels(png_, info_)} * static_cast<std::size_t>(bits());
  }

  /** Checks that memory for an image of this header may be allocated. */
  void check_pixels(Bytes bytes, const DecodeOptions& options) const {
    constexpr std::size_t kBestDeflateRatio = 1032;
    const std::size_t needed =
        std::size_t{width()} * height() / 8 * pixel_bits() / kBestDeflateRatio;
    check_size(width(), height(), needed, bytes, options);
  }

  /** 1 or 3 channels of 8 bits; alpha is dropped. */
  std::vector<std::uint8_t> read_bytes(int channels) {
    if (!set_bytes(channels)) raise();
    return read<std::uint8_t>(channels);
  }

  /** All samples in their own size (below 8 bits: in bytes, spread to 255), transparency as alpha.
   */
  template <typename Sample>
  std::vector<Sample> read_all(int samples) {
    if (!set_all()) raise();
    return read<Sample>(samples);
  }

 private:
  [[noreturn]] void raise() const { fail_damaged("PNG", trap_.message); }

  bool read_header() {
    if (setjmp(trap_.back)) return false;
    png_set_read_fn(png_, this, take);
    png_set_user_limits(png_, kLargestSide, kLargestSide);
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
    png_read_info(png_, info_);
    return true;
  }

  bool set_bytes(int channels) {
    if (setjmp(trap_.back)) return false;
    png_set_expand(png_);
    png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    if (channels == 3) png_set_gray_to_rgb(png_);
    return true;
  }

  bool set_all() {
    if (setjmp(trap_.back)) return false;
    png_set_expand(png_);
    if (bits() == 16) png_set_swap(png_);
    return true;
  }

  template <typename Sample>
  std::vector<Sample> read(int samples) {
    const std::size_t row = std::size_t{width()} * static_cast<std::size_t>(samples);
    std::vector<Sample> pixels(row * height());
    if (!read_rows(reinterpret_cast<png_bytep>(pixels.data()), row * sizeof(Sample)) ||
        !check_end())
      raise();
    return pixels;
  }

  bool read_rows(png_bytep pixels, std::size_t row_bytes) {
    if (setjmp(trap_.back)) return false;
    const int passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != row_bytes) png_error(png_, "rows of odd size");
    for (int pass = 0; pass < passes; ++pass)
      for (png_uint_32 y = 0; y < height(); ++y)
        png_read_row(png_, pixels + y * row_bytes, nullptr);
    return true;
  }

  /** The checksum of the last pixel data comes after them; what else follows may be missing. */
  bool check_end() {
    if (setjmp(trap_.back)) return is_at_end_;
    png_read_end(png_, nullptr);
    return true;
  }

  static void take(png_structp png, png_bytep to, std::size_t count) {
    auto& decoder = *static_cast<Decoder*>(png_get_io_ptr(png));
    const std::size_t left = decoder.file_.size() - decoder.at_;
    if (count > left) {
      decoder.is_at_end_ = true;
      png_error(png, "it ends early");
    }
    std::memcpy(to, decoder.file_.data() + decoder.at_, count);
    decoder.at_ += count;
  }

  std::vector<std::byte> file_;
  std::size_t at_ = 0;
  bool is_at_end_ = false;
  ErrorTrap trap_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

class Encoder {
 public:
  explicit Encoder(const Image& image) : image_(image) {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, &trap_, ErrorTrap::spring,
                                   ErrorTrap::ignore);
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    DINO_ASSERT(info_);
  }
  ~Encoder() { png_destroy_write_struct(&png_, &info_); }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  std::vector<std::byte> encode() {
    if (!write()) fail(ErrorKind::Internal, "[encode] PNG encoder failed: {}", trap_.message);
    return std::move(file_);
  }

 private:
  bool write() {
    if (setjmp(trap_.back)) return false;
    png_set_write_fn(png_, this, put, [](png_structp) {});
    png_set_IHDR(png_, info_, static_cast<png_uint_32>(image_.width),
                 static_cast<png_uint_32>(image_.height), 8,
                 image_.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png_, info_);
    for (int y = 0; y < image_.height; ++y) png_write_row(png_, image_.row(y));
    png_write_end(png_, nullptr);
    return true;
  }

  /** No exception may pass through libpng. */
  static void put(png_structp png, png_bytep from, std::size_t count) {
    auto& encoder = *static_cast<Encoder*>(png_get_io_ptr(png));
    if (!encoder.append({reinterpret_cast<const std::byte*>(from), count}))
      png_error(png, "out of memory");
  }

  bool append(std::span<const std::byte> bytes) noexcept try {
    file_.insert(file_.end(), bytes.begin(), bytes.end());
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }

  const Image& image_;
  ErrorTrap trap_;
  std::vector<std::byte> file_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

/** The stored type of gray samples below 8 bits, which libpng scales to 0..255. */
std::string_view type_of(int bits) {
  return bits == 1 ? "uint1" : bits == 2 ? "uint2" : bits == 4 ? "uint4" : "";
}

}  // namespace

ImageInfo peek_png(Bytes bytes, const DecodeOptions&) {
  const Decoder decoder(bytes);
  return {.kind = ImageKind::Png,
          .width = static_cast<int>(decoder.width()),
          .height = static_cast<int>(decoder.height()),
          .channels = decoder.is_gray() ? 1 : 3,
          .bits = decoder.is_palette() ? 8 : decoder.bits(),
          .has_alpha = decoder.has_alpha()};
}

Image decode_png(Bytes bytes, int channels, const DecodeOptions& options) {
  Decoder decoder(bytes);
  decoder.check_pixels(bytes, options);
  Image image;
  image.width = static_cast<int>(decoder.width());
  image.height = static_cast<int>(decoder.height());
  image.channels = decoder.is_gray() ? channels : 3;
  image.pixels = decoder.read_bytes(image.channels);
  return image.channels == channels ? image : gray_copy(image);
}

Raster read_png(Bytes bytes, const DecodeOptions& options) {
  Decoder decoder(bytes);
  decoder.check_pixels(bytes, options);
  const bool gray = decoder.is_gray(), alpha = decoder.has_alpha();
  const int bits = decoder.bits(), samples = (gray ? 1 : 3) + (alpha ? 1 : 0);
  Raster raster{.width = static_cast<int>(decoder.width()),
                .height = static_cast<int>(decoder.height()),
                .samples = samples,
                .is_rgb = !gray,
                .has_alpha = alpha,
                .values = {}};
  if (bits == 16) {
    raster.values = decoder.read_all<std::uint16_t>(samples);
    return raster;
  }
  auto values = decoder.read_all<std::uint8_t>(samples);
  if (gray && bits < 8) {
    const int most = (1 << bits) - 1;
    for (std::uint8_t& value : values) value = static_cast<std::uint8_t>(value / (255 / most));
    raster.type = type_of(bits);
    raster.declared = {0, static_cast<double>(most)};
  }
  raster.values = std::move(values);
  return raster;
}

std::vector<std::byte> encode_png(const Image& image) {
  check_encodable(image);
  return Encoder(image).encode();
}

}  // namespace dino::image
