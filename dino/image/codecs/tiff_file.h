// A TIFF file in memory, opened with libtiff, and the tags that describe its samples. Private to
// the TIFF reader.
#pragma once
#include <tiffio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dino/image/codecs/byte_reader.h"
#include "dino/image/codecs/codec.h"
#include "dino/image/value_range.h"

namespace dino::image {

/** The largest number of samples allowed in a file with this limit of pixels. */
std::int64_t most_tiff_samples(std::int64_t max_pixels);

/** One page opened by libtiff, from 0. Borrows the bytes. It cannot be moved, since libtiff keeps
 * its address. Throws Error{Format}. */
class TiffFile {
 public:
  TiffFile(Bytes bytes, int page, std::int64_t max_pixels);
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  TIFF* get() const { return file_.get(); }
  Bytes bytes() const { return source_.bytes; }
  /** Whether the strip or tile `block` is absent from the file, as GDAL writes empty ones. */
  bool is_left_out(std::uint32_t block) const;
  /** Throws Error{Format} with libtiff's first message, or `otherwise`. */
  [[noreturn]] void raise(std::string_view otherwise) const;

  /** The state of libtiff's callbacks, which read from memory. */
  struct Source {
    Bytes bytes;
    std::size_t at = 0;
    std::string message;  ///< libtiff's first error
  };

 private:
  void go_to(int page);

  struct Close {
    void operator()(TIFF* file) const { TIFFClose(file); }
  };
  Source source_;
  std::uint64_t listed_blocks_ = 0;
  std::unique_ptr<TIFF, Close> file_;
};

/** The tags of a directory that decoding needs. */
struct TiffLayout {
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, sample_format = SAMPLEFORMAT_UINT;
  std::uint16_t photometric = PHOTOMETRIC_MINISBLACK, planar = PLANARCONFIG_CONTIG;
  std::uint16_t compression = COMPRESSION_NONE, orientation = ORIENTATION_TOPLEFT;
  bool has_alpha = false, alpha_multiplied = false;
  bool is_tiled = false;
  std::uint32_t block_width = 0, block_height = 0;  ///< of a tile or strip
  std::optional<double> no_data;                    ///< GDAL_NODATA

  bool is_float() const { return sample_format == SAMPLEFORMAT_IEEEFP; }
  bool is_signed() const { return sample_format == SAMPLEFORMAT_INT; }
  bool is_planar() const { return planar == PLANARCONFIG_SEPARATE && samples > 1; }
  bool is_palette() const { return photometric == PHOTOMETRIC_PALETTE; }
  bool is_cmyk() const { return photometric == PHOTOMETRIC_SEPARATED; }
  bool is_rgb() const {
    return photometric == PHOTOMETRIC_RGB || photometric == PHOTOMETRIC_YCBCR || is_palette() ||
           is_cmyk();
  }
  int bands() const { return is_palette() || is_cmyk() ? 3 : samples - (has_alpha ? 1 : 0); }
  /** Bytes per row of a strip or tile; of one plane if the planes are separate. */
  std::size_t row_bytes() const {
    return (std::size_t{block_width} * (is_planar() ? 1U : samples) * bits + 7) / 8;
  }
};

TiffLayout read_tiff_layout(const TiffFile& tiff);

/** Throws Error{Format} that names what is not supported, if decoding this layout is not. */
void check_supported(const TiffLayout& layout);

/** The values of black and white: the range of the sample type or, where MinSampleValue is 0 and
 * MaxSampleValue is 2^k - 1 with k >= 8, that range (TIFF 6.0 calls all other values statistics).
 * Nothing for 8-bit colors, and for floats that declare no range. */
std::optional<ValueRange> tiff_range(const TiffFile& tiff, const TiffLayout& layout);

/** The type's name: "uint12", "int16", "float32". */
std::string_view tiff_sample_type(const TiffLayout& layout);

}  // namespace dino::image
