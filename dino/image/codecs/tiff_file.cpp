#include "dino/image/codecs/tiff_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "dino/base/error.h"
#include "dino/image/codecs/tiff_pages.h"

namespace dino::image {
namespace {

using Source = TiffFile::Source;

constexpr int kMaxSamples = 4096;
constexpr std::int64_t kMaxFactor = 4;  ///< samples of a file, at most this often max_pixels
constexpr std::uint32_t kGdalNoData = 42113;

// ---- libtiff's access to bytes in memory ----

Source& source_of(thandle_t handle) {
  return *static_cast<Source*>(handle);
}

tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
  Source& source = source_of(handle);
  if (source.at >= source.bytes.size() || count <= 0) return 0;
  const std::size_t size =
      std::min(static_cast<std::size_t>(count), source.bytes.size() - source.at);
  std::memcpy(to, source.bytes.data() + source.at, size);
  source.at += size;
  return static_cast<tmsize_t>(size);
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  Source& source = source_of(handle);
  const std::size_t from = whence == SEEK_CUR   ? source.at
                           : whence == SEEK_END ? source.bytes.size()
                                                : 0;
  source.at = from + static_cast<std::size_t>(offset);
  return source.at;
}

int keep_first(TIFF*, void* handle, const char*, const char* format, va_list arguments) {
  Source& source = source_of(handle);
  if (!source.message.empty()) return 1;
  char text[256];
  std::vsnprintf(text, sizeof text, format, arguments);
  source.message = text;
  return 1;
}

// ---- tags ----

/** GDAL's mark of samples that are no data: a number in decimal, or "nan". Other text is ignored.
 */
std::optional<double> no_data_of(TIFF* file) {
  const TIFFField* field = TIFFFindField(file, kGdalNoData, TIFF_ANY);
  if (!field || TIFFFieldDataType(field) != TIFF_ASCII) return std::nullopt;
  std::uint32_t count = 0;
  const char* text = nullptr;
  if (!TIFFFieldPassCount(field) || TIFFFieldReadCount(field) != TIFF_VARIABLE2 ||
      !TIFFGetField(file, kGdalNoData, &count, &text) || !text)
    return std::nullopt;
  const char *begin = text, *end = std::find(text, text + count, '\0');
  begin = std::find_if(begin, end, [](char c) { return c != ' ' && c != '+'; });
  double value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (stop == begin || error == std::errc::invalid_argument || std::isnan(value))
    return std::nullopt;  // NaN is no data without being named
  return error == std::errc::result_out_of_range ? std::nullopt : std::optional(value);
}

void read_blocks(const TiffFile& tiff, TiffLayout& layout) {
  TIFF* file = tiff.get();
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
}

/** Codings by the names people know; empty for others. */
std::string_view coding_name(std::uint16_t compression) {
  switch (compression) {
    case COMPRESSION_OJPEG:
      return "old-style JPEG";
    case 33003:
    case 33004:
    case 33005:
    case COMPRESSION_JP2000:
      return "JPEG 2000";
    case 34887:
      return "LERC";
    case 34892:
      return "lossy JPEG of DNG";
    case 34925:
      return "LZMA";
    case 34933:
    case 22610:
      return "JPEG XR";
    case 50000:
    case 34926:
      return "Zstandard";
    case 34927:
    case 50001:
      return "WebP";
    case 50002:
    case 52546:
      return "JPEG XL";
    default:
      return {};
  }
}

/** A name for an unsupported photometric interpretation. */
std::string_view photometric_name(std::uint16_t photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MASK:
      return " (a mask)";
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
    case PHOTOMETRIC_ITULAB:
      return " (L*a*b*)";
    case PHOTOMETRIC_LOGL:
    case PHOTOMETRIC_LOGLUV:
      return " (LogLuv)";
    case 32803:
      return " (a camera's raw mosaic)";
    case 34892:
      return " (a camera's raw colors)";
    default:
      return "";
  }
}

bool is_one_of(int value, std::initializer_list<int> values) {
  return std::ranges::find(values, value) != values.end();
}

void check_coding(const TiffLayout& layout) {
  const bool read = layout.compression != COMPRESSION_OJPEG &&
                    layout.compression != COMPRESSION_JP2000 &&
                    TIFFIsCODECConfigured(layout.compression) != 0;
  if (read) return;
  const std::string_view name = coding_name(layout.compression);
  fail(
      ErrorKind::Format,
      "[decode] TIFF whose pixels are coded as {} (compression {}) is not supported; write it with "
      "deflate or LZW (gdal_translate -co COMPRESS=DEFLATE, tiffcp -c lzw)",
      name.empty() ? "something unknown" : name, layout.compression);
}

}  // namespace

std::int64_t most_tiff_samples(std::int64_t max_pixels) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / (8 * kMaxFactor);
  return kMaxFactor * std::min(max_pixels, kMost);
}

TiffFile::TiffFile(Bytes bytes, int page, std::int64_t max_pixels) : source_{bytes, 0, {}} {
  const std::unique_ptr<TIFFOpenOptions,
                        decltype([](TIFFOpenOptions* o) { TIFFOpenOptionsFree(o); })>
      options(TIFFOpenOptionsAlloc());
  TIFFOpenOptionsSetMaxSingleMemAlloc(
      options.get(), std::max<std::int64_t>(8 * most_tiff_samples(max_pixels), 1 << 20));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_first, &source_);
  TIFFOpenOptionsSetWarningHandlerExtR(
      options.get(), [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, &source_);
  // "m": no mapping; libtiff then reads through Source, which knows the end. "h": no directory is
  // read yet, as another than the first may be wanted.
  file_.reset(TIFFClientOpenExt(
      "TIFF", "rmh", &source_, read, [](thandle_t, void*, tmsize_t) { return tmsize_t{0}; }, seek,
      [](thandle_t) { return 0; }, [](thandle_t h) -> toff_t { return source_of(h).bytes.size(); },
      nullptr, nullptr, options.get()));
  if (!file_) raise("no directory");
  go_to(page);
}

void TiffFile::raise(std::string_view otherwise) const {
  fail_damaged("TIFF", source_.message.empty() ? otherwise : source_.message);
}

bool TiffFile::is_left_out(std::uint32_t block) const {
  return block < listed_blocks_ && TIFFGetStrileByteCount(get(), block) == 0 &&
         TIFFGetStrileOffset(get(), block) == 0;
}

void TiffFile::go_to(int page) {
  const std::optional<std::uint64_t> at = tiff_page(tiff_in_memory(source_.bytes), page);
  if (at) {
    if (!TIFFSetSubDirectory(get(), *at)) raise("no directory");
    listed_blocks_ = tiff_listed_blocks(tiff_in_memory(source_.bytes), *at);
    return;
  }
  const std::size_t pages = tiff_pages(tiff_in_memory(source_.bytes)).size();
  if (pages == 0) raise("no directory");
  fail(ErrorKind::Format, "[decode] the TIFF file has {} pages; there is no page {}", pages, page);
}

TiffLayout read_tiff_layout(const TiffFile& tiff) {
  TIFF* file = tiff.get();
  TiffLayout layout;
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
  layout.no_data = no_data_of(file);
  read_blocks(tiff, layout);
  return layout;
}

void check_supported(const TiffLayout& layout) {
  check_coding(layout);
  const int bits = layout.bits;
  const bool is_unsigned =
      layout.sample_format == SAMPLEFORMAT_UINT || layout.sample_format == SAMPLEFORMAT_VOID;
  const bool known = layout.is_float()    ? is_one_of(bits, {16, 32, 64})
                     : layout.is_signed() ? is_one_of(bits, {8, 16, 32, 64})
                                          : is_unsigned && ((bits >= 1 && bits <= 16) ||
                                                            is_one_of(bits, {24, 32, 64}));
  if (!known || layout.samples < 1 || layout.samples > kMaxSamples)
    fail(ErrorKind::Format,
         "[decode] TIFF with {} samples of {} bits (sample format {}{}) is not supported; unsigned "
         "integers of 1 to 16, 24, 32 and 64 bits, signed ones of 8 to 64 and floats of 16, 32 and "
         "64 are",
         layout.samples, bits, layout.sample_format,
         layout.sample_format > SAMPLEFORMAT_VOID ? ": complex numbers" : "");
  const bool byte = bits == 8 && is_unsigned;
  const bool colors = layout.photometric == PHOTOMETRIC_MINISBLACK ||
                      layout.photometric == PHOTOMETRIC_MINISWHITE ||
                      (layout.photometric == PHOTOMETRIC_RGB && layout.samples >= 3) ||
                      (layout.photometric == PHOTOMETRIC_YCBCR && byte && layout.samples == 3 &&
                       !layout.is_planar() && layout.compression == COMPRESSION_JPEG) ||
                      (layout.is_palette() && layout.samples == 1 && bits <= 8 && is_unsigned) ||
                      (layout.is_cmyk() && byte && layout.samples == 4);
  if (!colors)
    fail(ErrorKind::Format,
         "[decode] TIFF with photometric {}{}, {} samples of {} bits and compression {} is not "
         "supported; convert it to RGB",
         layout.photometric, photometric_name(layout.photometric), layout.samples, bits,
         layout.compression);
}

std::optional<ValueRange> tiff_range(const TiffFile& tiff, const TiffLayout& layout) {
  if (layout.is_palette() || layout.is_cmyk() || layout.photometric == PHOTOMETRIC_YCBCR)
    return std::nullopt;
  const double span = std::ldexp(1.0, layout.bits) - 1;
  std::optional<ValueRange> range;
  if (layout.is_signed())
    range = {-std::ldexp(1.0, layout.bits - 1), std::ldexp(1.0, layout.bits - 1) - 1};
  else if (!layout.is_float() && layout.bits != 8 && layout.bits != 16)
    range = {0, span};
  if (layout.bits <= 8) return range;
  double low = 0, high = 0;
  std::uint16_t small = 0, large = 0;
  if (TIFFGetField(tiff.get(), TIFFTAG_MAXSAMPLEVALUE, &large)) {
    TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_MINSAMPLEVALUE, &small);
    low = small;
    high = large;
  } else if (!TIFFGetField(tiff.get(), TIFFTAG_SMAXSAMPLEVALUE, &high) ||
             !TIFFGetField(tiff.get(), TIFFTAG_SMINSAMPLEVALUE, &low)) {
    return range;
  }
  int depth = 0;
  const bool is_depth = low == 0 && high >= 255 && high < 4294967296.0 &&
                        std::frexp(high + 1, &depth) == 0.5 && (layout.is_float() || high <= span);
  return is_depth ? std::optional(ValueRange{low, high}) : range;
}

std::string_view tiff_sample_type(const TiffLayout& layout) {
  constexpr std::string_view kUnsigned[] = {
      "uint1", "uint2",  "uint3",  "uint4",  "uint5",  "uint6",  "uint7",  "uint8",
      "uint9", "uint10", "uint11", "uint12", "uint13", "uint14", "uint15", "uint16"};
  const auto wide = [&](std::string_view of16, std::string_view of32, std::string_view of64) {
    return layout.bits == 16 ? of16 : layout.bits == 32 ? of32 : of64;
  };
  if (layout.is_float()) return wide("float16", "float32", "float64");
  if (layout.is_signed()) return layout.bits == 8 ? "int8" : wide("int16", "int32", "int64");
  if (layout.is_palette() || layout.is_cmyk()) return "uint8";
  if (layout.bits == 24) return "uint24";
  return layout.bits <= 16 ? kUnsigned[layout.bits - 1] : wide("", "uint32", "uint64");
}

}  // namespace dino::image
