// A TIFF file in memory as libtiff opens it, and what its directories say of samples. Private to
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

/** Samples of a file, at most, at `max_pixels`. */
std::int64_t most_tiff_samples(std::int64_t max_pixels);

/** One page, opened. Borrows the bytes; stays where it is, as libtiff keeps its address. */
class TiffFile {
 public:
  TiffFile(Bytes bytes, int page, std::int64_t max_pixels);
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  TIFF* get() const { return file_.get(); }
  Bytes bytes() const { return source_.bytes; }
  /** Whether the file leaves a strip or tile out, as GDAL does where it holds nothing. */
  bool is_left_out(std::uint32_t block) const;
  /** Throws Error{Format} with libtiff's first message, or `otherwise`. */
  [[noreturn]] void raise(std::string_view otherwise) const;

  /** Bytes in memory as libtiff reads files. */
  struct Source {
    Bytes bytes;
    std::size_t at = 0;
    std::string message;  ///< of the first error
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

/** What of a directory decoding needs. */
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
  /** Bytes of one plane's row in a block. */
  std::size_t row_bytes() const {
    return (std::size_t{block_width} * (is_planar() ? 1U : samples) * bits + 7) / 8;
  }
};

TiffLayout read_tiff_layout(const TiffFile& tiff);

/** Throws Error{Format} on kinds of pixels that are not read, naming them. */
void check_supported(const TiffLayout& layout);

/** Black and white of the layout's samples: their type's span or, where MinSampleValue is 0 and
 * MaxSampleValue 2^k - 1 from 8 bits on, the depth that this declares (TIFF 6.0 calls all other
 * values statistics). Nothing for 8-bit colors and floats that declare none. */
std::optional<ValueRange> tiff_range(const TiffFile& tiff, const TiffLayout& layout);

/** "uint12", "int16", "float32". */
std::string_view tiff_sample_type(const TiffLayout& layout);

}  // namespace dino::image
