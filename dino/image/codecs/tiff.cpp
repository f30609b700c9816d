// TIFF through libtiff: strips and tiles (also those that GDAL leaves out), contiguous and planar,
// integers of 1 to 64 bits with and without sign, floats of 16, 32 and 64, palettes, CMYK, any
// number of bands, one page of several. Overviews and masks are no pages.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/half.h"
#include "dino/image/codecs/codec.h"
#include "dino/image/codecs/tiff_file.h"
#include "dino/image/codecs/tiff_pages.h"
#include "dino/image/pixels/color.h"

namespace dino::image {
namespace {

/** The least number of bytes that can contain the pixels; 0 for codings without a known bound. */
std::size_t bytes_needed(const TiffLayout& layout) {
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

/** Sample `i` of a decoded row whose samples are packed, the first bit being the highest. */
std::uint32_t load_bits(const std::uint8_t* row, std::size_t i, std::size_t bits) {
  std::uint32_t value = 0;
  for (std::size_t at = i * bits, left = bits; left > 0;) {
    const std::size_t taken = std::min(left, 8 - at % 8);
    const std::uint32_t rest = row[at / 8] >> (8 - at % 8 - taken);
    value = value << taken | (rest & ((1U << taken) - 1));
    at += taken;
    left -= taken;
  }
  return value;
}

/** Sample `i` of a decoded row, of types that a raster stores as floats. */
float load_wide(const std::uint8_t* row, std::size_t i, const TiffLayout& layout) {
  const auto as_float = [&]<typename Stored>(Stored) {
    return static_cast<float>(load<Stored>(row, i));
  };
  const int bits = layout.bits;
  if (layout.is_float())
    return bits == 16   ? half_to_float(load<std::uint16_t>(row, i))
           : bits == 32 ? load<float>(row, i)
                        : as_float(double{});
  if (layout.is_signed())
    return bits == 8    ? as_float(std::int8_t{})
           : bits == 16 ? as_float(std::int16_t{})
           : bits == 32 ? as_float(std::int32_t{})
                        : as_float(std::int64_t{});
  if (bits == 24) {  // libtiff gives them in the order of this machine
    std::uint32_t value = 0;
    std::memcpy(&value, row + 3 * i, 3);
    return static_cast<float>(value);
  }
  return bits == 32 ? as_float(std::uint32_t{}) : as_float(std::uint64_t{});
}

/** Reads the blocks that touch `box` into [box.height, box.width, samples]: stored values. `Sample`
 * is what the raster keeps. */
template <typename Sample>
class BlockReader {
 public:
  BlockReader(const TiffFile& tiff, const TiffLayout& layout, const PixelBox& box)
      : tiff_(tiff),
        layout_(layout),
        box_(box),
        block_samples_(layout.is_planar() ? 1U : layout.samples),
        row_bytes_(static_cast<std::size_t>(layout.is_tiled ? TIFFTileRowSize64(tiff.get())
                                                            : TIFFScanlineSize64(tiff.get()))) {
    const auto size = static_cast<std::size_t>(layout.is_tiled ? TIFFTileSize64(tiff.get())
                                                               : TIFFStripSize64(tiff.get()));
    if (row_bytes_ < layout.row_bytes() || size / row_bytes_ < layout.block_height)
      tiff.raise("blocks of odd size");
    block_.resize(size);
  }

  std::vector<Sample> read() {
    // Missing floats are NaN; missing integers are only known by the file's mark.
    const Sample empty =
        std::is_same_v<Sample, float> ? std::numeric_limits<Sample>::quiet_NaN() : integer_mark();
    std::vector<Sample> values(static_cast<std::size_t>(box_.width) *
                                   static_cast<std::size_t>(box_.height) * layout_.samples,
                               empty);
    const auto left = static_cast<std::uint32_t>(box_.left);
    const auto top = static_cast<std::uint32_t>(box_.top);
    const auto right = left + static_cast<std::uint32_t>(box_.width);
    const auto bottom = top + static_cast<std::uint32_t>(box_.height);
    const std::uint32_t planes = layout_.is_planar() ? layout_.samples : 1;
    std::size_t read = 0;
    for (std::uint32_t plane = 0; plane < planes; ++plane)
      for (std::uint64_t y = top - top % layout_.block_height; y < bottom;
           y += layout_.block_height)
        for (std::uint64_t x = left - left % layout_.block_width; x < right;
             x += layout_.block_width)
          if (read_block(static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), plane))
            read += copy_block(static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), plane,
                               values);
    missing_ = static_cast<std::int64_t>(values.size() - read);
    return values;
  }

  /** The number of samples of absent blocks, unless a mark or NaN already tells them. */
  std::int64_t missing() const {
    const bool told = std::is_same_v<Sample, float> || integer_mark() != 0 || layout_.no_data == 0;
    return told ? 0 : missing_;
  }

 private:
  /** The no-data mark if a sample can have that value, else 0. */
  Sample integer_mark() const {
    const double mark = layout_.no_data.value_or(0);
    const bool fits = mark >= 0 && mark <= static_cast<double>(std::numeric_limits<Sample>::max());
    return fits && mark == std::floor(mark) ? static_cast<Sample>(mark) : Sample{0};
  }

  /** Reads a block; false if it is absent from the file. */
  bool read_block(std::uint32_t x, std::uint32_t y, std::uint32_t plane) {
    TIFF* file = tiff_.get();
    const auto size = static_cast<tmsize_t>(block_.size());
    const auto band = static_cast<std::uint16_t>(plane);
    const std::uint32_t block =
        layout_.is_tiled ? TIFFComputeTile(file, x, y, 0, band) : TIFFComputeStrip(file, y, band);
    if (tiff_.is_left_out(block)) return false;
    const std::uint32_t rows = layout_.is_tiled
                                   ? layout_.block_height
                                   : std::min(layout_.block_height, layout_.height - y);
    const tmsize_t got = layout_.is_tiled ? TIFFReadEncodedTile(file, block, block_.data(), size)
                                          : TIFFReadEncodedStrip(file, block, block_.data(), size);
    if (got < 0 || static_cast<std::size_t>(got) < rows * row_bytes_)
      tiff_.raise("pixels are missing");
    return true;
  }

  /** Returns the number of samples. */
  std::size_t copy_block(std::uint32_t x0, std::uint32_t y0, std::uint32_t plane,
                         std::vector<Sample>& values) const {
    const auto left = static_cast<std::uint32_t>(box_.left);
    const auto top = static_cast<std::uint32_t>(box_.top);
    const auto from_x = std::max(x0, left), from_y = std::max(y0, top);
    const auto to_x = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        std::uint64_t{x0} + layout_.block_width, left + static_cast<std::uint32_t>(box_.width)));
    const auto to_y = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        std::uint64_t{y0} + layout_.block_height, top + static_cast<std::uint32_t>(box_.height)));
    const std::size_t stride = layout_.is_planar() ? layout_.samples : 1;
    const std::size_t count = std::size_t{to_x - from_x} * block_samples_;
    for (std::uint32_t y = from_y; y < to_y; ++y) {
      const std::uint8_t* row = block_.data() + (y - y0) * row_bytes_;
      Sample* to = values.data() +
                   (std::size_t{y - top} * static_cast<std::size_t>(box_.width) + (from_x - left)) *
                       layout_.samples +
                   plane;
      const std::size_t first = std::size_t{from_x - x0} * block_samples_;
      for (std::size_t i = 0; i < count; ++i) to[i * stride] = sample(row, first + i);
    }
    return count * (to_y - from_y);
  }

  Sample sample(const std::uint8_t* row, std::size_t i) const {
    if constexpr (std::is_same_v<Sample, float>) {
      return load_wide(row, i, layout_);
    } else {
      if (layout_.bits == 8 * sizeof(Sample)) return load<Sample>(row, i);
      return static_cast<Sample>(load_bits(row, i, layout_.bits));
    }
  }

  const TiffFile& tiff_;
  const TiffLayout& layout_;
  PixelBox box_;
  std::size_t block_samples_;
  std::size_t row_bytes_;
  std::int64_t missing_ = 0;
  std::vector<std::uint8_t> block_;
};

std::vector<std::uint8_t> apply_palette(const TiffFile& tiff, const TiffLayout& layout,
                                        const std::vector<std::uint8_t>& indices) {
  std::uint16_t* map[3] = {};
  if (!TIFFGetField(tiff.get(), TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]))
    tiff.raise("no palette");
  std::vector<std::uint8_t> rgb;
  rgb.reserve(indices.size() * 3);
  const std::size_t colors = std::size_t{1} << layout.bits;
  for (const std::uint8_t index : indices)
    for (const std::uint16_t* channel : map)
      rgb.push_back(static_cast<std::uint8_t>(channel[index % colors] >> 8));
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

/** Divides premultiplied colors by alpha; `full` is the alpha of opaque pixels. */
template <typename Sample>
void divide_by_alpha(std::vector<Sample>& values, std::size_t samples, double full) {
  for (std::size_t i = 0; i + samples <= values.size(); i += samples) {
    const auto alpha = static_cast<double>(values[i + samples - 1]);
    if (!(alpha > 0)) continue;
    for (std::size_t c = 0; c + 1 < samples; ++c) {
      const double value = static_cast<double>(values[i + c]) * full / alpha;
      values[i + c] =
          static_cast<Sample>(std::is_same_v<Sample, float> ? value : std::min(value, full));
    }
  }
}

/** Fills the raster's values. */
template <typename Sample>
void read_values(const TiffFile& tiff, const TiffLayout& layout, const PixelBox& box,
                 Raster& raster) {
  BlockReader<Sample> reader(tiff, layout, box);
  std::vector<Sample> values = reader.read();
  raster.missing = reader.missing();
  raster.values = std::vector<Sample>();
  if (layout.alpha_multiplied) divide_by_alpha(values, layout.samples, raster.own_range().high);
  if constexpr (std::is_same_v<Sample, std::uint8_t>) {
    if (layout.is_palette()) values = apply_palette(tiff, layout, values);
    if (layout.is_cmyk()) values = apply_inks(values);
  }
  raster.values = std::move(values);
}

/** The share of blocks that are present in the file. */
double held_share(const TiffFile& tiff, const TiffLayout& layout) {
  TIFF* file = tiff.get();
  const std::uint32_t blocks = layout.is_tiled ? TIFFNumberOfTiles(file) : TIFFNumberOfStrips(file);
  // Each has its place and size in the file.
  if (blocks == 0 || blocks > tiff.bytes().size() / 4) return 1;
  std::uint32_t held = 0;
  for (std::uint32_t i = 0; i < blocks; ++i) held += tiff.is_left_out(i) ? 0 : 1;
  if (held == 0) fail(ErrorKind::Format, "[decode] the TIFF file leaves all its pixels out");
  return static_cast<double>(held) / blocks;
}

void check_room(const TiffFile& tiff, const TiffLayout& layout, const PixelBox& box,
                const DecodeOptions& options) {
  std::size_t needed = bytes_needed(layout);
  if (const double held = held_share(tiff, layout); held < 1) {
    // An absent tile takes no bytes except its list entry: one byte per 64 Ki samples is required.
    const double left_out = (1 - held) * layout.width * layout.height * layout.samples / 65536;
    needed = static_cast<std::size_t>(held * static_cast<double>(needed) + left_out);
  }
  check_size(box.width, box.height, needed, tiff.bytes(), options);
  const std::int64_t most = most_tiff_samples(options.max_pixels);
  const auto block = std::int64_t{layout.block_width} * layout.block_height;
  const std::int64_t samples = layout.samples;
  // A tile may exceed the image, but only by some hundred pixels in valid files.
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
  const TiffLayout layout = read_tiff_layout(tiff);
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
  const int orientation = read_tiff_layout(tiff).orientation;
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

Raster read_tiff(Bytes bytes, const DecodeOptions& options, const PixelBox* part) {
  const TiffFile tiff(bytes, options.page, options.max_pixels);
  const TiffLayout layout = read_tiff_layout(tiff);
  check_supported(layout);
  if (layout.photometric == PHOTOMETRIC_YCBCR)
    TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  const PixelBox box =
      part ? *part
           : PixelBox{0, 0, static_cast<int>(layout.width), static_cast<int>(layout.height)};
  check_room(tiff, layout, box, options);
  const bool plain = !layout.is_palette() && !layout.is_cmyk();
  Raster raster{.width = box.width,
                .height = box.height,
                .samples = plain ? layout.samples : 3,
                .is_rgb = layout.is_rgb(),
                .has_alpha = plain && layout.has_alpha,
                .values = {},
                .type = tiff_sample_type(layout),
                .declared = tiff_range(tiff, layout),
                .inverted = layout.photometric == PHOTOMETRIC_MINISWHITE,
                .no_data = plain ? layout.no_data : std::nullopt};
  if (layout.is_float() || layout.is_signed() || layout.bits > 16)
    read_values<float>(tiff, layout, box, raster);
  else if (layout.bits > 8)
    read_values<std::uint16_t>(tiff, layout, box, raster);
  else
    read_values<std::uint8_t>(tiff, layout, box, raster);
  return raster;
}

}  // namespace dino::image
