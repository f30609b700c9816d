// The writing half. Leaves out: time stamps, so that the same members give the same bytes.
#include <zlib.h>

#include <algorithm>

#include "dino/base/error.h"
#include "dino/format/zip.h"
#include "dino/format/zip_records.h"

namespace dino::format {
namespace {

constexpr std::uint64_t kCountIn64 = 0xFFFF;
constexpr std::size_t kAlignment = 64;  // of the data: a cache line, the widest vector
constexpr std::uint16_t kUtf8Names = 0x0800;
constexpr std::uint16_t kVersion = 20, kVersion64 = 45;
constexpr std::uint16_t kNewYear1980 = 0x0021;  // the first date there is

std::uint64_t or_in64(std::uint64_t value) {
  return std::min(value, kIn64);
}

/** Little-endian fields, one after another. */
class Record {
 public:
  Record& u16(std::uint64_t value) { return add(value, 2); }
  Record& u32(std::uint64_t value) { return add(value, 4); }
  Record& u64(std::uint64_t value) { return add(value, 8); }
  Record& text(std::string_view value) {
    bytes_ += value;
    return *this;
  }
  /** What both headers of a member say: the version that reads it to the length of the extra field.
   */
  Record& stored_member(std::uint16_t version, std::uint32_t crc, std::uint64_t size,
                        std::size_t name_bytes, std::size_t extra_bytes) {
    return u16(version)
        .u16(kUtf8Names)
        .u16(0)  // stored
        .u16(0)
        .u16(kNewYear1980)
        .u32(crc)
        .u32(or_in64(size))
        .u32(or_in64(size))
        .u16(name_bytes)
        .u16(extra_bytes);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Record& add(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xFF);
    return *this;
  }
  std::string bytes_;
};

/** The ZIP64 field for those of the numbers that need it; empty if none does. */
std::string zip64_field(std::initializer_list<std::uint64_t> numbers) {
  Record body;
  for (const std::uint64_t number : numbers) {
    if (number >= kIn64) body.u64(number);
  }
  if (body.bytes().empty()) return {};
  return Record().u16(1).u16(body.bytes().size()).text(body.bytes()).bytes();
}

std::uint32_t checksum(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

void ZipWriter::write(std::string_view text) {
  sink_(std::as_bytes(std::span(text)));
  position_ += text.size();
}

void ZipWriter::add(std::string_view name, std::span<const std::byte> bytes) {
  DINO_ASSERT(name.size() < 0xFFFF);
  const Entry entry{std::string(name), bytes.size(), position_, checksum(bytes)};
  std::string extra = zip64_field({entry.size, entry.size});
  // The padding is a field of its own, as torch.save writes it: id "FB", length, filler.
  const std::uint64_t used = position_ + kLocalBytes + name.size() + extra.size() + 4;
  const std::size_t padding = (kAlignment - used % kAlignment) % kAlignment;
  extra += Record().text("FB").u16(padding).text(std::string(padding, 'Z')).bytes();

  write(Record()
            .text("PK\x03\x04")
            .stored_member(entry.size >= kIn64 ? kVersion64 : kVersion, entry.crc, entry.size,
                           name.size(), extra.size())
            .text(name)
            .text(extra)
            .bytes());
  sink_(bytes);
  position_ += bytes.size();
  entries_.push_back(entry);
}

void ZipWriter::finish() {
  const std::uint64_t begin = position_;
  for (const Entry& entry : entries_) {
    const std::string extra = zip64_field({entry.size, entry.size, entry.offset});
    const std::uint16_t version = extra.empty() ? kVersion : kVersion64;
    write(Record()
              .text("PK\x01\x02")
              .u16(version)
              .stored_member(version, entry.crc, entry.size, entry.name.size(), extra.size())
              .u16(0)  // comment
              .u16(0)  // disk
              .u16(0)
              .u32(0)
              .u32(or_in64(entry.offset))
              .text(entry.name)
              .text(extra)
              .bytes());
  }
  const std::uint64_t bytes = position_ - begin, count = entries_.size();
  if (count >= kCountIn64 || begin >= kIn64 || bytes >= kIn64) {
    const std::uint64_t end64 = position_;
    write(Record()
              .text("PK\x06\x06")
              .u64(44)  // of what follows
              .u16(kVersion64)
              .u16(kVersion64)
              .u32(0)
              .u32(0)
              .u64(count)
              .u64(count)
              .u64(bytes)
              .u64(begin)
              .bytes());
    write(Record().text("PK\x06\x07").u32(0).u64(end64).u32(1).bytes());
  }
  write(Record()
            .text("PK\x05\x06")
            .u16(0)
            .u16(0)
            .u16(std::min(count, kCountIn64))
            .u16(std::min(count, kCountIn64))
            .u32(or_in64(bytes))
            .u32(or_in64(begin))
            .u16(0)
            .bytes());
}

}  // namespace dino::format
