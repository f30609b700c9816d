#include "dino/image/codecs/heif_size.h"

#include <algorithm>
#include <map>
#include <vector>

#include "dino/image/codecs/boxes.h"

namespace dino::image {
namespace {

/** Reads bits from the most significant on; past the end they are 0. */
class BitReader {
 public:
  explicit BitReader(Bytes bytes) : bytes_(bytes) {}

  std::uint32_t take(int count) {
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i, ++at_)
      value =
          value << 1 | (at_ / 8 < bytes_.size()
                            ? std::to_integer<std::uint32_t>(bytes_[at_ / 8]) >> (7 - at_ % 8) & 1
                            : 0);
    return value;
  }
  void skip(int count) { at_ += static_cast<std::size_t>(count); }

  /** Exp-Golomb, of HEVC and (there called uvlc) of AV1. */
  std::uint32_t golomb() {
    int zeros = 0;
    while (zeros < 32 && take(1) == 0) ++zeros;
    return zeros >= 32 ? 0xFFFFFFFF : (1U << zeros) - 1 + take(zeros);
  }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
};

void keep_larger(CodedSize size, CodedSize& largest) {
  const auto area = [](CodedSize s) {
    return static_cast<double>(s.width) * static_cast<double>(s.height);  // of lies, too
  };
  if (area(size) > area(largest)) largest = size;
}

/** H.265 7.3.2.2.1, from the unit's header on. */
CodedSize size_of_sps(Bytes unit) {
  std::vector<std::byte> plain;  // without the bytes that keep start codes from appearing
  for (const std::byte byte : unit.first(std::min<std::size_t>(unit.size(), 256))) {
    const bool guard = byte == std::byte{3} && plain.size() >= 2 &&
                       plain.end()[-1] == std::byte{0} && plain.end()[-2] == std::byte{0};
    plain.push_back(guard ? std::byte{0xFF} : byte);
    if (guard) plain.pop_back();
  }
  BitReader bits(plain);
  bits.skip(16 + 4);
  const int layers = static_cast<int>(bits.take(3));
  bits.skip(1 + 96);
  int layer_bits = 0;
  for (int i = 0; i < layers; ++i) layer_bits += (bits.take(1) ? 88 : 0) + (bits.take(1) ? 8 : 0);
  if (layers > 0) bits.skip(2 * (8 - layers));
  bits.skip(layer_bits);
  bits.golomb();  // its number
  if (bits.golomb() == 3) bits.skip(1);
  const std::int64_t width = bits.golomb();
  return {width, bits.golomb()};
}

void see_unit(Bytes unit, CodedSize& largest) {
  constexpr std::uint32_t kSequenceParameters = 33;
  if (unit.size() > 2 && (std::to_integer<std::uint32_t>(unit[0]) >> 1 & 63) == kSequenceParameters)
    keep_larger(size_of_sps(unit), largest);
}

/** AV1 5.5.1. */
CodedSize size_of_sequence(Bytes header) {
  BitReader bits(header);
  bits.skip(3 + 1);
  if (bits.take(1)) {  // a still picture's short header
    bits.skip(5);
  } else {
    int delay_bits = 0;
    if (bits.take(1)) {  // timing
      bits.skip(64);
      if (bits.take(1)) bits.golomb();
      if (bits.take(1)) {
        delay_bits = static_cast<int>(bits.take(5)) + 1;
        bits.skip(32 + 5 + 5);
      }
    }
    const bool has_delay = bits.take(1) != 0;
    const std::uint32_t points = bits.take(5) + 1;
    for (std::uint32_t i = 0; i < points; ++i) {
      bits.skip(12);
      if (bits.take(5) > 7) bits.skip(1);
      if (delay_bits > 0 && bits.take(1)) bits.skip(2 * delay_bits + 1);
      if (has_delay && bits.take(1)) bits.skip(4);
    }
  }
  const int width_bits = static_cast<int>(bits.take(4)) + 1;
  const int height_bits = static_cast<int>(bits.take(4)) + 1;
  const std::int64_t width = std::int64_t{bits.take(width_bits)} + 1;
  return {width, std::int64_t{bits.take(height_bits)} + 1};
}

void see_av1(Bytes data, CodedSize& largest) {
  constexpr std::uint32_t kSequenceHeader = 1;
  for (std::size_t at = 0; at < data.size();) {
    const auto head = std::to_integer<std::uint32_t>(data[at]);
    at += head & 4 ? 2 : 1;
    std::size_t size = at < data.size() ? data.size() - at : 0;
    if (head & 2) {
      size = 0;
      for (int shift = 0; at < data.size() && shift < 35; shift += 7) {
        const auto byte = std::to_integer<std::size_t>(data[at++]);
        size |= (byte & 127) << shift;
        if (byte < 128) break;
      }
    }
    const Bytes unit = ByteReader(data, Endian::Big).part(at, size);
    if ((head >> 3 & 15) == kSequenceHeader) keep_larger(size_of_sequence(unit), largest);
    at += size;
  }
}

/** Units after their lengths. */
void see_hevc(Bytes data, int length_bytes, CodedSize& largest) {
  const ByteReader reader(data, Endian::Big);
  for (std::size_t at = 0; at < data.size();) {
    std::size_t size = 0;
    for (int i = 0; i < length_bytes; ++i) size = size << 8 | reader.u8(at++).value_or(0);
    see_unit(reader.part(at, size), largest);
    at += size;
  }
}

class File {
 public:
  explicit File(Bytes bytes) : bytes_(bytes) {}

  CodedSize run() {
    for_each_box(bytes_, [&](std::uint32_t type, Bytes content) {
      if (type == box_type("meta")) see_meta(content);
    });
    return largest_;
  }

 private:
  void see_meta(Bytes meta) {
    Bytes locations, inside;
    is_av1_.clear();
    for_each_box(after(meta, 4), [&](std::uint32_t type, Bytes content) {
      if (type == box_type("iprp")) see_properties(content);
      if (type == box_type("iinf")) see_kinds(content);
      if (type == box_type("iloc")) locations = content;
      if (type == box_type("idat")) inside = content;
    });
    see_items(locations, inside);
  }

  static Bytes after(Bytes bytes, std::size_t count) {
    return bytes.subspan(std::min(count, bytes.size()));
  }

  void see_properties(Bytes properties) {
    for_each_box(properties, [&](std::uint32_t outer, Bytes container) {
      if (outer != box_type("ipco")) return;
      for_each_box(container, [&](std::uint32_t type, Bytes content) {
        if (type == box_type("hvcC")) see_configuration(content);
        if (type == box_type("av1C")) see_av1(after(content, 4), largest_);
      });
    });
  }

  void see_configuration(Bytes content) {
    const ByteReader reader(content, Endian::Big);
    length_bytes_ = (reader.u8(21).value_or(3) & 3) + 1;
    std::size_t at = 23;
    for (int array = reader.u8(22).value_or(0); array > 0; --array) {
      int units = reader.u16(at + 1).value_or(0);
      for (at += 3; units > 0; --units) {
        const std::size_t size = reader.u16(at).value_or(0);
        see_unit(reader.part(at + 2, size), largest_);
        at += 2 + size;
      }
    }
  }

  /** The items that are pictures, since metadata is not a stream of units. */
  void see_kinds(Bytes kinds) {
    const bool wide = ByteReader(kinds, Endian::Big).u8(0).value_or(0) > 0;
    for_each_box(after(kinds, wide ? 8 : 6), [&](std::uint32_t type, Bytes content) {
      if (type != box_type("infe")) return;
      const ByteReader reader(content, Endian::Big);
      const bool long_name = reader.u8(0).value_or(0) > 2;
      const std::uint32_t name = long_name ? reader.u32(4).value_or(0) : reader.u16(4).value_or(0);
      const std::uint32_t kind = reader.u32(long_name ? 10 : 8).value_or(0);
      if (kind == box_type("av01")) is_av1_[name] = true;
      if (kind == box_type("hvc1") || kind == box_type("hev1")) is_av1_[name] = false;
    });
  }

  /** ISO 14496-12 8.11.3. */
  void see_items(Bytes locations, Bytes inside) {
    const ByteReader reader(locations, Endian::Big);
    std::size_t at = 4;
    const auto number = [&](int bytes) {
      std::uint64_t value = 0;
      for (int i = 0; i < bytes; ++i) value = value << 8 | reader.u8(at++).value_or(0);
      return value;
    };
    const int version = reader.u8(0).value_or(0);
    const auto sizes = static_cast<int>(number(2));
    const int offset_bytes = sizes >> 12, length_bytes = sizes >> 8 & 15,
              base_bytes = sizes >> 4 & 15, index_bytes = version > 0 ? sizes & 15 : 0;
    const std::uint64_t items = number(version < 2 ? 2 : 4);
    for (std::uint64_t item = 0; item < items && at < locations.size(); ++item) {
      const auto kind = is_av1_.find(static_cast<std::uint32_t>(number(version < 2 ? 2 : 4)));
      const bool is_inside = version > 0 && (number(2) & 15) == 1;
      number(2);  // of another file
      const std::uint64_t base = number(base_bytes);
      std::vector<std::byte> joined;
      for (std::uint64_t extents = number(2); extents > 0 && at < locations.size(); --extents) {
        number(index_bytes);
        const std::uint64_t offset = base + number(offset_bytes), length = number(length_bytes);
        const Bytes part = ByteReader(is_inside ? inside : bytes_, Endian::Big)
                               .part(offset, length == 0 ? bytes_.size() : length);
        if (kind == is_av1_.end() || part.size() > budget_) continue;
        budget_ -= part.size();
        joined.insert(joined.end(), part.begin(), part.end());
      }
      if (kind == is_av1_.end()) continue;
      if (kind->second)
        see_av1(joined, largest_);
      else
        see_hevc(joined, length_bytes_, largest_);
    }
  }

  Bytes bytes_;
  std::size_t budget_ = 2 * bytes_.size();  ///< extents may lie over each other, but not often
  std::map<std::uint32_t, bool> is_av1_;    ///< of the items that are pictures
  int length_bytes_ = 4;
  CodedSize largest_;
};

}  // namespace

CodedSize largest_coded_size(Bytes bytes) {
  return File(bytes).run();
}

}  // namespace dino::image
