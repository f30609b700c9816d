// TIFF through libtiff: strips and tiles, contiguous and planar, 1 to 16-bit integers, 32-bit ones
// and floats of 32 and 64 bits, palettes, CMYK, any number of bands, one page of several. Overviews
// and masks are no pages.
#include <tiffio.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/codec.h"
#include "dino/image/color.h"
#include "dino/image/tiff_pages.h"

namespace dino::image {
namespace {

constexpr int kMaxSamples = 4096;
constexpr std::int64_t kMaxFactor = 4;  ///< samples of a file, at most this often max_pixels

std::int64_t most_samples(std::int64_t max_pixels) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / (8 * kMaxFactor);
  return kMaxFactor * std::min(max_pixels, kMost);
}

/** Bytes in memory as libtiff reads files. */
struct Source {
  Bytes bytes;
  std::size_t at = 0;
  std::string message;  ///< of the first error

  static Source& of(thandle_t handle) { return *static_cast<Source*>(handle); }

  static tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
    Source& source = of(handle);
    if (source.at >= source.bytes.size() || count <= 0) return 0;
    const std::size_t size =
        std::min(static_cast<std::size_t>(count), source.bytes.size() - source.at);
    std::memcpy(to, source.bytes.data() + source.at, size);
    source.at += size;
    return static_cast<tmsize_t>(size);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    Source& source = of(handle);
    const std::size_t from = whence == SEEK_CUR   ? source.at
                             : whence == SEEK_END ? source.bytes.size()
                                                  : 0;
    source.at = from + static_cast<std::size_t>(offset);
    return source.at;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return of(handle).bytes.size(); }
  static int keep_first(TIFF*, void* handle, const char*, const char* format, va_list arguments) {
    Source& source = of(handle);
    if (!source.message.empty()) return 1;
    char text[256];
    std::vsnprintf(text, sizeof text, format, arguments);
    source.message = text;
    return 1;
  }
  static int ignore(TIFF*, void*, const char*, const char*, va_list) { return 1; }
};

/** What of a directory decoding needs. */
struct Layout {
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, sample_format = SAMPLEFORMAT_UINT;
  std::uint16_t photometric = PHOTOMETRIC_MINISBLACK, planar = PLANARCONFIG_CONTIG;
  std::uint16_t compression = COMPRESSION_NONE, orientation = ORIENTATION_TOPLEFT;
  bool has_alpha = false, alpha_multiplied = false;
  bool is_tiled = false;
  std::uint32_t block_width = 0, block_height = 0;  ///< of a tile or strip

  bool is_float() const { return sample_format == SAMPLEFORMAT_IEEEFP; }
  bool is_planar() const { return planar == PLANARCONFIG_SEPARATE && samples > 1; }
  bool is_palette() const { return photometric == PHOTOMETRIC_PALETTE; }
  bool is_cmyk() const { return photometric == PHOTOMETRIC_SEPARATED; }
  bool is_rgb() const {
    return photometric == PHOTOMETRIC_RGB || photometric == PHOTOMETRIC_YCBCR || is_palette() ||
           is_cmyk();
  }
  int bands() const { return is_palette() || is_cmyk() ? 3 : samples - (has_alpha ? 1 : 0); }
};

class TiffFile {
 public:
  /** Opens the page `page`. */
  TiffFile(Bytes bytes, int page, std::int64_t max_pixels) : source_{bytes, 0, {}} {
    const std::unique_ptr<TIFFOpenOptions,
                          decltype([](TIFFOpenOptions* o) { TIFFOpenOptionsFree(o); })>
        options(TIFFOpenOptionsAlloc());
    TIFFOpenOptionsSetMaxSingleMemAlloc(
        options.get(), std::max<std::int64_t>(8 * most_samples(max_pixels), 1 << 20));
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), Source::keep_first, &source_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), Source::ignore, &source_);
    // "m": no mapping; libtiff then reads through Source, which knows the end. "h": the first
    // directory is not read, as another one is wanted.
    file_.reset(TIFFClientOpenExt("TIFF", page == 0 ? "rm" : "rmh", &source_, Source::read,
                                  Source::write, Source::seek, Source::close, Source::size, nullptr,
                                  nullptr, options.get()));
    if (!file_) raise("no directory");
    if (page > 0) go_to(page);
  }

  TIFF* get() const { return file_.get(); }

  [[noreturn]] void raise(std::string_view otherwise) const {
    fail_damaged("TIFF", source_.message.empty() ? otherwise : source_.message);
  }

 private:
  void go_to(int page) {
    const std::vector<std::uint64_t> pages = tiff_pages(tiff_in_memory(source_.bytes));
    if (static_cast<std::size_t>(page) >= pages.size())
      fail(ErrorKind::Format, "[decode] the TIFF file has {} pages; there is no page {}",
           pages.size(), page);
    if (!TIFFSetSubDirectory(get(), pages[static_cast<std::size_t>(page)])) raise("no directory");
  }

  Source source_;
  std::unique_ptr<TIFF, decltype([](TIFF* file) { TIFFClose(file); })> file_;
};

Layout read_layout(const TiffFile& tiff) {
  TIFF* file = tiff.get();
  Layout layout;
  if (!TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &layout.width) ||
      !TIFFGetField(file, TIFFTAG_IMAGELENGTH, &layout.height) || layout.width < 1 ||
      layout.height < 1 || layout.width > INT32_MAX || layout.height > INT32_MAX)
    tiff.raise("no size");
  TIFFGetFieldDefaulted(file, TIFFTAG_BITSPERSAMPLE, &layout.bits);
  TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLESPERPIXEL, &layout.samples);
  TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLEFORMAT, &layout.sample_format);
  TIFFGetFieldDefaulted(file, TIFFTAG_PLANARCONFIG, &layout.planar);
  TIFFGetFieldDefaulted(file, TIFFTAG_COMPRESSION, &layout.compression);
  TIFFGetFieldDefaulted(file, TIFFTAG_ORIENTATION, &layout.orientation);
  if (!TIFFGetField(file, TIFFTAG_PHOTOMETRIC, &layout.photometric))
    layout.photometric = layout.samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
  std::uint16_t count = 0;
  std::uint16_t* kinds = nullptr;
  if (TIFFGetField(file, TIFFTAG_EXTRASAMPLES, &count, &kinds) && count > 0 && layout.samples > 1) {
    layout.alpha_multiplied = kinds[count - 1] == EXTRASAMPLE_ASSOCALPHA;
    layout.has_alpha = layout.alpha_multiplied || kinds[count - 1] == EXTRASAMPLE_UNASSALPHA;
  }
  layout.is_tiled = TIFFIsTiled(file) != 0;
  if (layout.is_tiled) {
    TIFFGetField(file, TIFFTAG_TILEWIDTH, &layout.block_width);
    TIFFGetField(file, TIFFTAG_TILELENGTH, &layout.block_height);
  } else {
    layout.block_width = layout.width;
    TIFFGetFieldDefaulted(file, TIFFTAG_ROWSPERSTRIP, &layout.block_height);
    layout.block_height = std::min(layout.block_height, layout.height);
  }
  if (layout.block_width < 1 || layout.block_height < 1) tiff.raise("blocks without size");
  return layout;
}

/** Throws Error{Format} on kinds of pixels that are not read. */
void check_supported(const Layout& layout) {
  const int bits = layout.bits;
  const bool integer =
      layout.sample_format == SAMPLEFORMAT_UINT || layout.sample_format == SAMPLEFORMAT_VOID;
  const bool known = layout.is_float() ? bits == 32 || bits == 64
                                       : integer && (bits == 1 || bits == 2 || bits == 4 ||
                                                     bits == 8 || bits == 16 || bits == 32);
  if (!known || layout.samples < 1 || layout.samples > kMaxSamples)
    fail(ErrorKind::Format,
         "[decode] TIFF with {} samples of {} bits (sample format {}) is not supported; unsigned "
         "integers of 1, 2, 4, 8, 16 and 32 bits and floats of 32 and 64 are",
         layout.samples, bits, layout.sample_format);
  const bool byte = bits == 8 && !layout.is_float();
  const bool colours =
      layout.photometric == PHOTOMETRIC_MINISBLACK ||
      layout.photometric == PHOTOMETRIC_MINISWHITE ||
      (layout.photometric == PHOTOMETRIC_RGB && layout.samples >= 3) ||
      (layout.photometric == PHOTOMETRIC_YCBCR && byte && layout.samples == 3 &&
       !layout.is_planar() && layout.compression == COMPRESSION_JPEG) ||
      (layout.is_palette() && layout.samples == 1 && bits <= 8 && !layout.is_float()) ||
      (layout.is_cmyk() && byte && layout.samples == 4);
  if (!colours || layout.compression == COMPRESSION_OJPEG)
    fail(ErrorKind::Format,
         "[decode] TIFF with photometric {}, {} samples of {} bits and compression {} is not "
         "supported; convert it to RGB",
         layout.photometric, layout.samples, bits, layout.compression);
}

/** The least bytes that hold the pixels; codings without a known best ratio say 0. */
std::size_t bytes_needed(const Layout& layout) {
  const std::size_t row = (std::size_t{layout.width} * layout.samples * layout.bits + 7) / 8;
  const std::size_t plain = row * layout.height;
  switch (layout.compression) {
    case COMPRESSION_NONE:
      return layout.photometric == PHOTOMETRIC_YCBCR ? plain / 2 : plain;
    case COMPRESSION_PACKBITS:
      return plain / 64;
    case COMPRESSION_LZW:
      return plain / 4096;
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE:
      return plain / 1032;
    default:
      return 0;
  }
}

/** Sample `i` of a decoded row. */
template <typename Stored>
Stored load(const std::uint8_t* row, std::size_t i) {
  Stored value;
  std::memcpy(&value, row + i * sizeof(Stored), sizeof(Stored));
  return value;
}

/** Reads the blocks that touch `box` into [box.height, box.width, samples]. `Sample` is what the
 * raster keeps; integers below 8 bits are scaled to 255, but for indices into palettes. */
template <typename Sample>
class BlockReader {
 public:
  BlockReader(const TiffFile& tiff, const Layout& layout, const PixelBox& box)
      : tiff_(tiff),
        layout_(layout),
        box_(box),
        block_samples_(layout.is_planar() ? 1U : layout.samples),
        row_bytes_(static_cast<std::size_t>(layout.is_tiled ? TIFFTileRowSize64(tiff.get())
                                                            : TIFFScanlineSize64(tiff.get()))) {
    const auto size = static_cast<std::size_t>(layout.is_tiled ? TIFFTileSize64(tiff.get())
                                                               : TIFFStripSize64(tiff.get()));
    const std::size_t needed =
        (std::size_t{layout.block_width} * block_samples_ * layout.bits + 7) / 8;
    if (row_bytes_ < needed || size / row_bytes_ < layout.block_height)
      tiff.raise("blocks of odd size");
    block_.resize(size);
  }

  std::vector<Sample> read() {
    std::vector<Sample> values(static_cast<std::size_t>(box_.width) *
                               static_cast<std::size_t>(box_.height) * layout_.samples);
    const auto left = static_cast<std::uint32_t>(box_.left);
    const auto top = static_cast<std::uint32_t>(box_.top);
    const auto right = left + static_cast<std::uint32_t>(box_.width);
    const auto bottom = top + static_cast<std::uint32_t>(box_.height);
    const std::uint32_t planes = layout_.is_planar() ? layout_.samples : 1;
    for (std::uint32_t plane = 0; plane < planes; ++plane)
      for (std::uint64_t y = top - top % layout_.block_height; y < bottom;
           y += layout_.block_height)
        for (std::uint64_t x = left - left % layout_.block_width; x < right;
             x += layout_.block_width) {
          read_block(static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), plane);
          copy_block(static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), plane, values);
        }
    return values;
  }

 private:
  void read_block(std::uint32_t x, std::uint32_t y, std::uint32_t plane) {
    TIFF* file = tiff_.get();
    const auto size = static_cast<tmsize_t>(block_.size());
    tmsize_t got = 0;
    std::uint32_t rows = layout_.block_height;
    if (layout_.is_tiled) {
      got = TIFFReadEncodedTile(file,
                                TIFFComputeTile(file, x, y, 0, static_cast<std::uint16_t>(plane)),
                                block_.data(), size);
    } else {
      rows = std::min(rows, layout_.height - y);
      got = TIFFReadEncodedStrip(file, TIFFComputeStrip(file, y, static_cast<std::uint16_t>(plane)),
                                 block_.data(), size);
    }
    if (got < 0 || static_cast<std::size_t>(got) < rows * row_bytes_)
      tiff_.raise("pixels are missing");
  }

  void copy_block(std::uint32_t x0, std::uint32_t y0, std::uint32_t plane,
                  std::vector<Sample>& values) const {
    const auto left = static_cast<std::uint32_t>(box_.left);
    const auto top = static_cast<std::uint32_t>(box_.top);
    const auto from_x = std::max(x0, left), from_y = std::max(y0, top);
    const auto to_x = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        std::uint64_t{x0} + layout_.block_width, left + static_cast<std::uint32_t>(box_.width)));
    const auto to_y = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        std::uint64_t{y0} + layout_.block_height, top + static_cast<std::uint32_t>(box_.height)));
    const std::size_t stride = layout_.is_planar() ? layout_.samples : 1;
    for (std::uint32_t y = from_y; y < to_y; ++y) {
      const std::uint8_t* row = block_.data() + (y - y0) * row_bytes_;
      Sample* to = values.data() +
                   (std::size_t{y - top} * static_cast<std::size_t>(box_.width) + (from_x - left)) *
                       layout_.samples +
                   plane;
      const std::size_t first = std::size_t{from_x - x0} * block_samples_;
      const std::size_t count = std::size_t{to_x - from_x} * block_samples_;
      for (std::size_t i = 0; i < count; ++i) to[i * stride] = sample(row, first + i);
    }
  }

  Sample sample(const std::uint8_t* row, std::size_t i) const {
    if constexpr (std::is_same_v<Sample, std::uint16_t>) {
      return load<std::uint16_t>(row, i);
    } else if constexpr (std::is_same_v<Sample, float>) {
      if (!layout_.is_float())
        return static_cast<float>(load<std::uint32_t>(row, i) / 4294967295.0);
      return layout_.bits == 32 ? load<float>(row, i) : static_cast<float>(load<double>(row, i));
    } else {
      if (layout_.bits == 8) return row[i];
      const std::size_t bits = layout_.bits, most = (std::size_t{1} << bits) - 1;
      const std::size_t value = row[i * bits / 8] >> (8 - bits - i * bits % 8) & most;
      return static_cast<std::uint8_t>(layout_.is_palette() ? value : value * (255 / most));
    }
  }

  const TiffFile& tiff_;
  const Layout& layout_;
  PixelBox box_;
  std::size_t block_samples_;
  std::size_t row_bytes_;
  std::vector<std::uint8_t> block_;
};

std::vector<std::uint8_t> apply_palette(const TiffFile& tiff, const Layout& layout,
                                        const std::vector<std::uint8_t>& indices) {
  std::uint16_t* map[3] = {};
  if (!TIFFGetField(tiff.get(), TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]))
    tiff.raise("no palette");
  std::vector<std::uint8_t> rgb;
  rgb.reserve(indices.size() * 3);
  const std::size_t colours = std::size_t{1} << layout.bits;
  for (const std::uint8_t index : indices)
    for (const std::uint16_t* channel : map)
      rgb.push_back(static_cast<std::uint8_t>(channel[index % colours] >> 8));
  return rgb;
}

std::vector<std::uint8_t> apply_inks(const std::vector<std::uint8_t>& cmyk) {
  std::vector<std::uint8_t> rgb;
  rgb.reserve(cmyk.size() / 4 * 3);
  for (std::size_t i = 0; i < cmyk.size(); i += 4)
    for (std::size_t c = 0; c < 3; ++c)
      rgb.push_back(ink_to_light(255 - cmyk[i + c], 255 - cmyk[i + 3]));
  return rgb;
}

/** Zero is white: 0 <-> the largest value. */
template <typename Sample>
void invert(std::vector<Sample>& values, const Layout& layout) {
  const auto samples = std::size_t{layout.samples};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (layout.has_alpha && i % samples == samples - 1) continue;
    if constexpr (std::is_same_v<Sample, float>)
      values[i] = 1 - values[i];
    else
      values[i] = static_cast<Sample>(~values[i]);
  }
}

/** Colours that were multiplied by their alpha, divided by it. */
template <typename Sample>
void divide_by_alpha(std::vector<Sample>& values, std::size_t samples) {
  constexpr double kFull = std::is_same_v<Sample, std::uint8_t>    ? 255
                           : std::is_same_v<Sample, std::uint16_t> ? 65535
                                                                   : 1;
  for (std::size_t i = 0; i + samples <= values.size(); i += samples) {
    const auto alpha = static_cast<double>(values[i + samples - 1]);
    if (!(alpha > 0)) continue;
    for (std::size_t c = 0; c + 1 < samples; ++c) {
      const double value = static_cast<double>(values[i + c]) * kFull / alpha;
      values[i + c] =
          static_cast<Sample>(std::is_same_v<Sample, float> ? value : std::min(value, kFull));
    }
  }
}

template <typename Sample>
std::vector<Sample> read_values(const TiffFile& tiff, const Layout& layout, const PixelBox& box) {
  std::vector<Sample> values = BlockReader<Sample>(tiff, layout, box).read();
  if (layout.photometric == PHOTOMETRIC_MINISWHITE) invert(values, layout);
  if (layout.alpha_multiplied) divide_by_alpha(values, layout.samples);
  if constexpr (std::is_same_v<Sample, std::uint8_t>) {
    if (layout.is_palette()) return apply_palette(tiff, layout, values);
    if (layout.is_cmyk()) return apply_inks(values);
  }
  return values;
}

void check_room(const Layout& layout, const PixelBox& box, Bytes bytes,
                const DecodeOptions& options) {
  check_size(box.width, box.height, bytes_needed(layout), bytes, options);
  const std::int64_t most = most_samples(options.max_pixels);
  const auto block = std::int64_t{layout.block_width} * layout.block_height;
  const std::int64_t samples = layout.samples;
  // A tile may be larger than the image it belongs to, by some hundred pixels in honest files.
  if (std::int64_t{box.width} * box.height > most / samples ||
      block > std::max(most, std::int64_t{1} << 20) / samples)
    fail(ErrorKind::Format,
         "[decode] TIFF of {} x {} px with {} samples, in blocks of {} x {} px, is above the limit "
         "of {} samples",
         box.width, box.height, layout.samples, layout.block_width, layout.block_height, most);
}

}  // namespace

ImageInfo peek_tiff(Bytes bytes, const DecodeOptions& options) {
  const TiffFile tiff(bytes, options.page, options.max_pixels);
  const Layout layout = read_layout(tiff);
  check_supported(layout);
  const std::size_t pages = tiff_pages(tiff_in_memory(bytes)).size();
  const bool plain = !layout.is_palette() && !layout.is_cmyk();
  return {.kind = ImageKind::Tiff,
          .width = static_cast<int>(layout.width),
          .height = static_cast<int>(layout.height),
          .channels = layout.bands(),
          .bits = plain ? layout.bits : 8,
          .is_float = layout.is_float(),
          .has_alpha = plain && layout.has_alpha,
          .pages = static_cast<int>(std::max<std::size_t>(1, pages))};
}

int orientation_of_tiff(Bytes bytes, const DecodeOptions& options) {
  const TiffFile tiff(bytes, options.page, options.max_pixels);
  const int orientation = read_layout(tiff).orientation;
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

Raster read_tiff(Bytes bytes, const DecodeOptions& options, const PixelBox* part) {
  const TiffFile tiff(bytes, options.page, options.max_pixels);
  const Layout layout = read_layout(tiff);
  check_supported(layout);
  if (layout.photometric == PHOTOMETRIC_YCBCR)
    TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  const PixelBox box =
      part ? *part
           : PixelBox{0, 0, static_cast<int>(layout.width), static_cast<int>(layout.height)};
  check_room(layout, box, bytes, options);
  const bool plain = !layout.is_palette() && !layout.is_cmyk();
  Raster raster{.width = box.width,
                .height = box.height,
                .samples = plain ? layout.samples : 3,
                .is_rgb = layout.is_rgb(),
                .has_alpha = plain && layout.has_alpha,
                .values = {}};
  if (layout.bits >= 32) {
    auto samples = read_values<float>(tiff, layout, box);
    if (!std::ranges::all_of(samples, [](float v) { return std::isfinite(v); }))
      fail(ErrorKind::Format, "[decode TIFF] a sample is not a finite number");
    raster.values = std::move(samples);
  } else if (layout.bits == 16)
    raster.values = read_values<std::uint16_t>(tiff, layout, box);
  else
    raster.values = read_values<std::uint8_t>(tiff, layout, box);
  return raster;
}

}  // namespace dino::image
