// Lossless JPEG (ITU-T T.81 annex H, Huffman coded), 2 to 16 bits, as DICOM files hold it; libjpeg
// does not read it. Leaves out: subsampled components, hierarchical and arithmetic coding.
#include <array>
#include <memory>

#include "dino/base/error.h"
#include "dino/image/codecs/dicom_pixels.h"

namespace dino::image {
namespace {

constexpr std::string_view kFormat = "lossless JPEG";
constexpr int kMostTables = 64;  // four scans need four; making thousands is an attack on time

enum Marker : std::uint8_t {
  kFrame = 0xC3,
  kTables = 0xC4,
  kStart = 0xD8,
  kEnd = 0xD9,
  kScan = 0xDA,
  kRestartInterval = 0xDD
};

/** Length and value of the code that the next 16 bits begin with. */
class HuffmanTable {
 public:
  /** Sixteen counts and the values in order of their codes; returns the bytes read. */
  std::size_t read(const ByteReader& reader, std::size_t at) {
    std::uint32_t code = 0;
    std::size_t value_at = at + 16;
    for (int length = 1; length <= 16; ++length, code <<= 1) {
      const int count = reader.u8(at + static_cast<std::size_t>(length) - 1).value_or(0);
      for (int i = 0; i < count; ++i, ++code) {
        const auto value = reader.u8(value_at++);
        if (!value || *value > 16 || code >> length != 0)
          fail_damaged(kFormat, "bad Huffman table");
        const std::uint32_t first = code << (16 - length), last = (code + 1) << (16 - length);
        for (std::uint32_t bits = first; bits < last; ++bits)
          entries_[bits] = {static_cast<std::uint8_t>(length), *value};
      }
    }
    return value_at - at;
  }

  struct Entry {
    std::uint8_t length = 0;  ///< 0: no code
    std::uint8_t value = 0;
  };
  const Entry& operator[](std::uint32_t bits) const { return entries_[bits]; }

 private:
  std::vector<Entry> entries_ = std::vector<Entry>(1 << 16);
};

/** The bits of a scan; past its end, where a marker stands, they are 0. */
class BitReader {
 public:
  BitReader(const ByteReader& reader, std::size_t at) : reader_(reader), at_(at) {}

  /** The next `count` <= 16 bits, left where they are. */
  std::uint32_t peek(int count) {
    while (held_ < count) {
      bits_ = bits_ << 8 | next_byte();
      held_ += 8;
    }
    return static_cast<std::uint32_t>(bits_ >> (held_ - count)) & ((1U << count) - 1);
  }
  void drop(int count) {
    held_ -= count;
    if (held_ < missing_) fail_damaged(kFormat, "the pixels end early");
  }

  /** Where the marker behind the bits stands; what is left before it is passed over. */
  std::size_t end() {
    held_ = missing_ = 0;
    while (missing_ == 0) next_byte();
    held_ = missing_ = 0;
    return at_;
  }
  void go_on_at(std::size_t at) { at_ = at; }

 private:
  std::uint32_t next_byte() {
    const auto byte = reader_.u8(at_);
    if (byte && (*byte != 0xFF || reader_.u8(at_ + 1) == std::uint8_t{0})) {
      at_ += *byte == 0xFF ? 2 : 1;
      return *byte;
    }
    missing_ += 8;
    return 0;
  }

  const ByteReader& reader_;
  std::size_t at_;
  std::uint64_t bits_ = 0;
  int held_ = 0;     ///< bits that were read and not yet dropped
  int missing_ = 0;  ///< of them, those behind the end
};

class Decoder {
 public:
  Decoder(Bytes bytes, const DecodeOptions& options)
      : bytes_(bytes), reader_(bytes, Endian::Big), options_(options) {}

  StoredSamples run() {
    std::size_t at = 0;
    std::size_t scanned = 0;
    while (true) {
      const auto marker = reader_.u16(at);
      if (!marker || *marker < 0xFF00) fail_damaged(kFormat, "a marker is missing");
      const auto kind = static_cast<std::uint8_t>(*marker);
      at += 2;
      if (kind == kStart) continue;
      if (kind == 0xFF) {  // fill
        --at;
        continue;
      }
      if (kind == kEnd) break;
      const std::size_t length = reader_.u16(at).value_or(0);
      if (length < 2) fail_damaged(kFormat, "a segment without a length");
      at = kind == kScan ? read_scan(at, length, scanned) : read_segment(kind, at, length);
      if (scanned == static_cast<std::size_t>(stored_.samples) && scanned > 0) break;
    }
    if (scanned == 0 || scanned != static_cast<std::size_t>(stored_.samples))
      fail_damaged(kFormat, "components without pixels");
    return std::move(stored_);
  }

 private:
  std::size_t read_segment(std::uint8_t kind, std::size_t at, std::size_t length) {
    if (kind == kFrame) read_frame(at);
    if (kind == kTables)
      for (std::size_t from = at + 2; from < at + length;) {
        const int target = reader_.u8(from).value_or(0xFF);
        if (target > 3 || ++tables_read_ > kMostTables) fail_damaged(kFormat, "bad Huffman table");
        auto table = std::make_unique<HuffmanTable>();
        from += 1 + table->read(reader_, from + 1);
        tables_[static_cast<std::size_t>(target)] = std::move(table);
      }
    if (kind == kRestartInterval) restart_ = reader_.u16(at + 2).value_or(0);
    const bool other_frame = kind >= 0xC0 && kind <= 0xCF && kind != kFrame && kind != kTables;
    if (other_frame) fail_damaged(kFormat, fmt::format("it is coded by process {:#x}", kind));
    return at + length;
  }

  void read_frame(std::size_t at) {
    stored_.bits = reader_.u8(at + 2).value_or(0);
    stored_.height = reader_.u16(at + 3).value_or(0);
    stored_.width = reader_.u16(at + 5).value_or(0);
    stored_.samples = reader_.u8(at + 7).value_or(0);
    if (stored_.bits < 2 || stored_.bits > 16 || stored_.samples < 1 || stored_.samples > 4)
      fail_damaged(kFormat, fmt::format("{} components of {} bits", stored_.samples, stored_.bits));
    const auto samples = static_cast<std::size_t>(stored_.samples);
    for (std::size_t i = 0; i < samples; ++i) {
      names_[i] = reader_.u8(at + 8 + 3 * i).value_or(0);
      if (reader_.u8(at + 9 + 3 * i) != std::uint8_t{0x11})
        fail_damaged(kFormat, "subsampled components are not supported");
    }
    // Each sample takes a bit at least.
    const std::size_t values = static_cast<std::size_t>(stored_.width) *
                               static_cast<std::size_t>(stored_.height) * samples;
    check_size(stored_.width, stored_.height, values / 8, bytes_, options_);
    stored_.values.assign(values, 0);
  }

  /** Returns where the next marker stands; `scanned` grows by the scan's components. */
  std::size_t read_scan(std::size_t at, std::size_t length, std::size_t& scanned) {
    const std::size_t count = reader_.u8(at + 2).value_or(0);
    if (stored_.values.empty() || count < 1 || count > 4 || length != 6 + 2 * count)
      fail_damaged(kFormat, "bad scan");
    std::vector<Component> components(count);
    for (std::size_t i = 0; i < count; ++i) {
      const int name = reader_.u8(at + 3 + 2 * i).value_or(0);
      const auto table = static_cast<std::size_t>(reader_.u8(at + 4 + 2 * i).value_or(0) >> 4);
      for (int c = 0; c < stored_.samples; ++c)
        if (names_[static_cast<std::size_t>(c)] == name) components[i].number = c;
      if (components[i].number < 0 || table > 3 || !tables_[table])
        fail_damaged(kFormat, "a scan of what is not there");
      components[i].table = tables_[table].get();
    }
    const int predictor = reader_.u8(at + 3 + 2 * count).value_or(0);
    const int shift = reader_.u8(at + 5 + 2 * count).value_or(0) & 15;
    const auto width = static_cast<std::size_t>(stored_.width);
    if (predictor < 1 || predictor > 7 || shift >= stored_.bits || restart_ % width != 0)
      fail_damaged(kFormat, "a scan of a kind that is not supported");
    scanned += count;
    return decode(components, predictor, shift, at + length);
  }

  struct Component {
    int number = -1;
    const HuffmanTable* table = nullptr;
  };

  std::size_t decode(const std::vector<Component>& components, int predictor, int shift,
                     std::size_t at) {
    BitReader bits(reader_, at);
    const std::size_t rows_per_restart = restart_ / static_cast<std::size_t>(stored_.width);
    bool first = true;
    for (int y = 0; y < stored_.height; ++y) {
      if (rows_per_restart > 0 && y > 0 && static_cast<std::size_t>(y) % rows_per_restart == 0) {
        const std::size_t marker = bits.end();
        if ((reader_.u16(marker).value_or(0) & 0xFFF8) != 0xFFD0)
          fail_damaged(kFormat, "a restart marker is missing");
        bits.go_on_at(marker + 2);
        first = true;
      }
      for (int x = 0; x < stored_.width; ++x)
        for (const Component& component : components) {
          std::int32_t* const to =
              stored_.values.data() +
              (static_cast<std::size_t>(y) * static_cast<std::size_t>(stored_.width) +
               static_cast<std::size_t>(x)) *
                  static_cast<std::size_t>(stored_.samples) +
              component.number;
          const int expected = predict(to, x, first, predictor, shift);
          *to = ((expected + difference(bits, *component.table)) & 0xFFFF) << shift;
        }
      first = false;
    }
    return bits.end();
  }

  /** The value predicted from the neighbors to the left and above; `first` means that there is no
   * row above. */
  int predict(const std::int32_t* to, int x, bool first, int predictor, int shift) const {
    const std::ptrdiff_t line = std::ptrdiff_t{stored_.width} * stored_.samples;
    if (x == 0) return first ? 1 << (stored_.bits - 1 - shift) : to[-line] >> shift;
    const int left = to[-stored_.samples] >> shift;
    if (first) return left;
    const int above = to[-line] >> shift, corner = to[-line - stored_.samples] >> shift;
    switch (predictor) {
      case 1:
        return left;
      case 2:
        return above;
      case 3:
        return corner;
      case 4:
        return left + above - corner;
      case 5:
        return left + ((above - corner) >> 1);
      case 6:
        return above + ((left - corner) >> 1);
      default:
        return (left + above) >> 1;
    }
  }

  static int difference(BitReader& bits, const HuffmanTable& table) {
    const HuffmanTable::Entry entry = table[bits.peek(16)];
    if (entry.length == 0) fail_damaged(kFormat, "bad Huffman code");
    bits.drop(entry.length);
    const int size = entry.value;
    if (size == 0) return 0;
    if (size == 16) return 32768;
    const auto value = static_cast<int>(bits.peek(size));
    bits.drop(size);
    return value >> (size - 1) ? value : value - (1 << size) + 1;
  }

  Bytes bytes_;
  ByteReader reader_;
  const DecodeOptions& options_;
  StoredSamples stored_;
  std::array<int, 4> names_{};
  std::array<std::unique_ptr<HuffmanTable>, 4> tables_;
  int tables_read_ = 0;
  std::size_t restart_ = 0;  ///< pixels between restart markers; 0: none
};

}  // namespace

StoredSamples read_jpeg_lossless(Bytes bytes, const DecodeOptions& options) {
  return Decoder(bytes, options).run();
}

}  // namespace dino::image
