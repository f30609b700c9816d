// Windows and OS/2 bitmaps: 1, 4 and 8 bits with a palette (also run-length coded), 16 to 32 bits
// with or without masks, either way up.
#include <algorithm>
#include <bit>
#include <cstdlib>

#include "dino/base/error.h"
#include "dino/image/codecs/codec.h"

namespace dino::image {
namespace {

enum Compression : std::uint32_t {
  kRgb = 0,
  kRle8 = 1,
  kRle4 = 2,
  kBitFields = 3,
  kAlphaFields = 6
};

struct Color {
  std::uint8_t red = 0, green = 0, blue = 0;
};

struct Header {
  int width = 0, height = 0;
  bool top_down = false;
  int bits = 0;
  std::uint32_t compression = kRgb;
  std::size_t pixels_at = 0;
  std::array<std::uint32_t, 4> masks{};  ///< red, green, blue, alpha
  std::vector<Color> palette;            ///< empty without

  bool is_gray() const {
    return !palette.empty() && std::all_of(palette.begin(), palette.end(), [](Color c) {
      return c.red == c.green && c.green == c.blue;
    });
  }
  bool has_alpha() const { return masks[3] != 0; }
  std::size_t row_bytes() const {
    return (static_cast<std::size_t>(width) * static_cast<std::size_t>(bits) + 31) / 32 * 4;
  }
};

std::uint32_t need(std::optional<std::uint32_t> value) {
  if (!value) fail_damaged("BMP", "the header is cut short");
  return *value;
}

void read_size(const ByteReader& reader, Header& header, bool old) {
  std::int64_t width = 0, height = 0;
  if (old) {
    width = need(reader.u16(18));
    height = need(reader.u16(20));
    header.bits = static_cast<int>(need(reader.u16(24)));
  } else {
    width = static_cast<std::int32_t>(need(reader.u32(18)));
    height = static_cast<std::int32_t>(need(reader.u32(22)));
    header.bits = static_cast<int>(need(reader.u16(28)));
    header.compression = need(reader.u32(30));
  }
  header.top_down = height < 0;
  height = std::abs(height);
  if (width < 1 || height < 1 || height > INT32_MAX)
    fail_damaged("BMP", fmt::format("size {} x {} px", width, height));
  header.width = static_cast<int>(width);
  header.height = static_cast<int>(height);
}

void read_masks(const ByteReader& reader, Header& header, std::uint32_t header_size) {
  if (header.bits == 16) header.masks = {0x7C00, 0x03E0, 0x001F, 0};
  if (header.bits == 32) header.masks = {0xFF0000, 0xFF00, 0xFF, 0};
  if (header.compression != kBitFields && header.compression != kAlphaFields) return;
  // After a header of 40 bytes, or inside a longer one, at the same place.
  for (std::size_t i = 0; i < 3; ++i) header.masks[i] = need(reader.u32(54 + 4 * i));
  if (header_size >= 56 || header.compression == kAlphaFields)
    header.masks[3] = need(reader.u32(66));
  for (const std::uint32_t mask : header.masks)
    if (mask != 0 &&
        (((mask >> std::countr_zero(mask)) + 1) & (mask >> std::countr_zero(mask))) != 0)
      fail_damaged("BMP", fmt::format("bit mask {:#x} has gaps", mask));
}

void read_palette(const ByteReader& reader, Header& header, std::size_t at, std::size_t entry) {
  const std::size_t most = std::size_t{1} << header.bits;
  std::size_t count = entry == 3 ? 0 : need(reader.u32(46));
  if (count == 0 || count > most) count = most;
  // Old files have fewer colors than they declare.
  const std::size_t room = header.pixels_at > at ? (header.pixels_at - at) / entry : 0;
  count = std::min(count, room);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t from = at + i * entry;
    header.palette.push_back({static_cast<std::uint8_t>(need(reader.u8(from + 2))),
                              static_cast<std::uint8_t>(need(reader.u8(from + 1))),
                              static_cast<std::uint8_t>(need(reader.u8(from)))});
  }
  if (header.palette.empty()) fail_damaged("BMP", "no palette");
}

Header read_header(Bytes bytes) {
  const ByteReader reader(bytes, Endian::Little);
  Header header;
  header.pixels_at = need(reader.u32(10));
  const std::uint32_t size = need(reader.u32(14));
  const bool old = size == 12;
  read_size(reader, header, old);
  const bool indexed = header.bits == 1 || header.bits == 4 || header.bits == 8;
  const bool plain = header.compression == kRgb;
  const bool masked = header.compression == kBitFields || header.compression == kAlphaFields;
  const bool known = (indexed && plain) || (header.bits == 8 && header.compression == kRle8) ||
                     (header.bits == 4 && header.compression == kRle4) ||
                     (header.bits == 24 && plain) ||
                     ((header.bits == 16 || header.bits == 32) && (plain || masked));
  if (!known)
    fail(ErrorKind::Format, "[decode] BMP with {} bits and compression {} is not supported",
         header.bits, header.compression);
  if (indexed)
    read_palette(reader, header, 14 + size, old ? 3 : 4);
  else
    read_masks(reader, header, size);
  return header;
}

/** Run-length coded indices into the palette, from the bottom line up. */
class RunReader {
 public:
  RunReader(Bytes bytes, const Header& header) : bytes_(bytes), header_(header) {}

  std::vector<std::uint8_t> read() {
    const auto width = static_cast<std::size_t>(header_.width);
    indices_.assign(width * static_cast<std::size_t>(header_.height), 0);
    while (y_ < header_.height) {
      const int count = next(), value = next();
      if (count > 0)
        for (int i = 0; i < count; ++i) put(header_.bits == 8 ? value : nibble(value, i));
      else if (value == 0)
        end_line();
      else if (value == 1)
        break;
      else if (value == 2)
        jump();
      else
        copy(value);
    }
    return std::move(indices_);
  }

 private:
  int next() {
    // The last line may end with the file instead of an end mark.
    if (at_ >= bytes_.size()) fail_damaged("BMP", "the runs end early");
    return std::to_integer<int>(bytes_[at_++]);
  }

  static int nibble(int value, int i) { return i % 2 == 0 ? value >> 4 : value & 15; }

  void put(int index) {
    if (x_ >= header_.width) return;  // too many for the line
    indices_[static_cast<std::size_t>(y_) * static_cast<std::size_t>(header_.width) +
             static_cast<std::size_t>(x_++)] = static_cast<std::uint8_t>(index);
  }

  void end_line() {
    x_ = 0;
    ++y_;
  }

  void jump() {
    x_ += next();
    y_ += next();
    if (x_ > header_.width) fail_damaged("BMP", "a run jumps out of the line");
  }

  void copy(int count) {
    int pair = 0;
    for (int i = 0; i < count; ++i) {
      if (header_.bits == 8) {
        put(next());
      } else {
        if (i % 2 == 0) pair = next();
        put(nibble(pair, i));
      }
    }
    const int bytes_read = header_.bits == 8 ? count : (count + 1) / 2;
    if (bytes_read % 2 != 0) next();
  }

  Bytes bytes_;
  const Header& header_;
  std::vector<std::uint8_t> indices_;
  std::size_t at_ = 0;
  int x_ = 0, y_ = 0;
};

std::vector<std::uint8_t> read_indices(Bytes bytes, const Header& header) {
  if (header.compression != kRgb) return RunReader(bytes, header).read();
  const auto width = static_cast<std::size_t>(header.width);
  const auto bits = static_cast<std::size_t>(header.bits);
  std::vector<std::uint8_t> indices;
  indices.reserve(width * static_cast<std::size_t>(header.height));
  for (int y = 0; y < header.height; ++y) {
    const std::byte* row = bytes.data() + static_cast<std::size_t>(y) * header.row_bytes();
    for (std::size_t x = 0; x < width; ++x) {
      const int byte = std::to_integer<int>(row[x * bits / 8]);
      const int shift = 8 - header.bits - static_cast<int>(x * bits % 8);
      indices.push_back(static_cast<std::uint8_t>(byte >> shift & ((1 << header.bits) - 1)));
    }
  }
  return indices;
}

/** The bits of `mask` scaled to 0..255. */
std::uint8_t field(std::uint32_t pixel, std::uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  return static_cast<std::uint8_t>(std::uint64_t{(pixel & mask) >> shift} * 255 / (mask >> shift));
}

/** One stored line, in the samples of the raster. */
void convert_line(const std::byte* from, const Header& header, std::uint8_t* to) {
  const int bytes_per_pixel = header.bits / 8;
  for (int x = 0; x < header.width; ++x, from += bytes_per_pixel) {
    std::uint32_t pixel = 0;
    for (int i = 0; i < bytes_per_pixel; ++i)
      pixel |= std::to_integer<std::uint32_t>(from[i]) << (8 * i);
    if (header.bits == 24) {
      *to++ = static_cast<std::uint8_t>(pixel >> 16);
      *to++ = static_cast<std::uint8_t>(pixel >> 8);
      *to++ = static_cast<std::uint8_t>(pixel);
      continue;
    }
    for (std::size_t c = 0; c < (header.has_alpha() ? 4 : 3); ++c)
      *to++ = field(pixel, header.masks[c]);
  }
}

}  // namespace

ImageInfo peek_bmp(Bytes bytes, const DecodeOptions&) {
  const Header header = read_header(bytes);
  return {.kind = ImageKind::Bmp,
          .width = header.width,
          .height = header.height,
          .channels = header.is_gray() ? 1 : 3,
          .has_alpha = header.has_alpha()};
}

Raster read_bmp(Bytes bytes, const DecodeOptions& options) {
  const Header header = read_header(bytes);
  const bool runs = header.compression == kRle8 || header.compression == kRle4;
  check_size(header.width, header.height, 0, bytes, options);
  const std::size_t needed =
      runs ? 0 : header.row_bytes() * static_cast<std::size_t>(header.height);
  check_size(header.width, header.height, header.pixels_at + needed, bytes, options);
  const Bytes pixels = bytes.subspan(header.pixels_at);
  const bool gray = header.is_gray();
  const int samples = gray ? 1 : header.has_alpha() ? 4 : 3;
  const std::size_t row_samples =
      static_cast<std::size_t>(header.width) * static_cast<std::size_t>(samples);
  const std::vector<std::uint8_t> indices =
      header.palette.empty() ? std::vector<std::uint8_t>{} : read_indices(pixels, header);
  std::vector<std::uint8_t> values(row_samples * static_cast<std::size_t>(header.height));
  for (int y = 0; y < header.height; ++y) {
    const auto from = static_cast<std::size_t>(header.top_down ? y : header.height - 1 - y);
    std::uint8_t* to = values.data() + static_cast<std::size_t>(y) * row_samples;
    if (header.palette.empty()) {
      convert_line(pixels.data() + from * header.row_bytes(), header, to);
      continue;
    }
    for (int x = 0; x < header.width; ++x) {
      const std::size_t index =
          indices[from * static_cast<std::size_t>(header.width) + static_cast<std::size_t>(x)];
      const Color color = index < header.palette.size() ? header.palette[index] : Color{};
      *to++ = color.red;
      if (gray) continue;
      *to++ = color.green;
      *to++ = color.blue;
    }
  }
  return {.width = header.width,
          .height = header.height,
          .samples = samples,
          .is_rgb = !gray,
          .has_alpha = header.has_alpha(),
          .values = std::move(values)};
}

}  // namespace dino::image
