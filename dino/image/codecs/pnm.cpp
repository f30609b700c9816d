// PBM, PGM and PPM, plain and raw (P1 to P6); the file's maximum is white. Of several images in a
// file the first.
#include <algorithm>
#include <cctype>

#include "dino/image/codecs/codec.h"

namespace dino::image {
namespace {

/** Reads the header's and the plain formats' numbers. */
class Scanner {
 public:
  explicit Scanner(Bytes bytes) : bytes_(bytes) {}

  std::size_t at() const { return at_; }
  void skip(std::size_t count) { at_ += count; }

  /** The next number in decimal digits, after white space and comments. */
  int number() {
    skip_blank();
    if (!is_digit(peek())) fail_damaged("PNM", "a number is missing");
    std::int64_t value = 0;
    for (; is_digit(peek()); ++at_) {
      value = value * 10 + (peek() - '0');
      if (value > 1'000'000'000) fail_damaged("PNM", "a number is too large");
    }
    return static_cast<int>(value);
  }

  /** A plain bitmap's pixel: digits need no space between them. */
  int bit() {
    skip_blank();
    const int digit = peek();
    if (digit != '0' && digit != '1') fail_damaged("PNM", "a pixel is neither 0 nor 1");
    ++at_;
    return digit - '0';
  }

 private:
  static bool is_digit(int c) { return c >= '0' && c <= '9'; }
  int peek() const { return at_ < bytes_.size() ? std::to_integer<int>(bytes_[at_]) : -1; }

  void skip_blank() {
    for (; peek() >= 0; ++at_) {
      if (peek() == '#')
        while (peek() >= 0 && peek() != '\n' && peek() != '\r') ++at_;
      else if (!std::isspace(peek()))
        return;
      if (peek() < 0) return;
    }
  }

  Bytes bytes_;
  std::size_t at_ = 0;
};

struct Header {
  int kind = 0;  ///< 1..6
  int width = 0, height = 0;
  int maximum = 1;  ///< of a sample
  std::size_t pixels_at = 0;

  bool is_bitmap() const { return kind == 1 || kind == 4; }
  bool is_plain() const { return kind <= 3; }
  int samples() const { return kind == 3 || kind == 6 ? 3 : 1; }
  int bytes_per_sample() const { return maximum > 255 ? 2 : 1; }
  /** Of the raw formats. */
  std::size_t row_bytes() const {
    const auto columns = static_cast<std::size_t>(width);
    return is_bitmap() ? (columns + 7) / 8
                       : columns * static_cast<std::size_t>(samples() * bytes_per_sample());
  }
};

Header read_header(Bytes bytes) {
  Scanner scanner(bytes);
  Header header;
  header.kind = std::to_integer<int>(bytes[1]) - '0';
  scanner.skip(2);
  header.width = scanner.number();
  header.height = scanner.number();
  if (!header.is_bitmap()) header.maximum = scanner.number();
  if (header.maximum < 1 || header.maximum > 65535)
    fail_damaged("PNM", "the largest sample value must lie in 1..65535");
  header.pixels_at = scanner.at() + (header.is_plain() ? 0 : 1);  // one white space
  return header;
}

/** Larger samples than the maximum are cut, as Pillow does. */
template <typename Sample>
std::vector<Sample> read_samples(Bytes bytes, const Header& header, std::size_t count) {
  const auto cut = [&](int value) { return static_cast<Sample>(std::min(value, header.maximum)); };
  std::vector<Sample> values(count);
  if (header.is_plain()) {
    Scanner scanner(bytes.subspan(header.pixels_at));
    for (Sample& value : values) value = cut(scanner.number());
  } else {
    const ByteReader reader(bytes.subspan(header.pixels_at), Endian::Big);
    for (std::size_t i = 0; i < count; ++i)
      values[i] =
          cut(sizeof(Sample) == 1 ? reader.u8(i).value_or(0) : reader.u16(2 * i).value_or(0));
  }
  return values;
}

std::vector<std::uint8_t> read_bits(Bytes bytes, const Header& header) {
  std::vector<std::uint8_t> values;
  values.reserve(static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.height));
  Scanner scanner(bytes.subspan(header.pixels_at));
  for (int y = 0; y < header.height; ++y)
    for (int x = 0; x < header.width; ++x) {
      const std::size_t at = header.pixels_at + static_cast<std::size_t>(y) * header.row_bytes() +
                             static_cast<std::size_t>(x / 8);
      const int ink =
          header.is_plain() ? scanner.bit() : std::to_integer<int>(bytes[at]) >> (7 - x % 8) & 1;
      values.push_back(ink ? 0 : 255);
    }
  return values;
}

}  // namespace

ImageInfo peek_pnm(Bytes bytes, const DecodeOptions&) {
  const Header header = read_header(bytes);
  return {.kind = ImageKind::Pnm,
          .width = header.width,
          .height = header.height,
          .channels = header.samples(),
          .bits = header.is_bitmap()     ? 1
                  : header.maximum > 255 ? 16
                                         : 8};
}

Raster read_pnm(Bytes bytes, const DecodeOptions& options) {
  const Header header = read_header(bytes);
  check_size(header.width, header.height, 0, bytes, options);
  const std::size_t pixels =
      static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.height);
  const std::size_t count = pixels * static_cast<std::size_t>(header.samples());
  // A plain sample takes a digit and, but for bitmaps, a space after each but the last.
  const std::size_t plain_bytes = header.is_bitmap() ? count : 2 * count - 1;
  const std::size_t raw_bytes = header.row_bytes() * static_cast<std::size_t>(header.height);
  check_size(header.width, header.height,
             header.pixels_at + (header.is_plain() ? plain_bytes : raw_bytes), bytes, options);
  Raster raster{.width = header.width,
                .height = header.height,
                .samples = header.samples(),
                .is_rgb = header.samples() == 3,
                .values = {}};
  if (!header.is_bitmap()) raster.declared = {0, static_cast<double>(header.maximum)};
  if (header.is_bitmap())
    raster.values = read_bits(bytes, header);
  else if (header.maximum > 255)
    raster.values = read_samples<std::uint16_t>(bytes, header, count);
  else
    raster.values = read_samples<std::uint8_t>(bytes, header, count);
  return raster;
}

}  // namespace dino::image
