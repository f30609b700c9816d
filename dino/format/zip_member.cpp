// Unpacking one member of a zip archive.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"
#include "dino/format/gzip.h"
#include "dino/format/zip.h"
#include "dino/format/zip_records.h"

namespace dino::format {
namespace {

/** "method 14 (LZMA)". */
std::string method_name(std::uint64_t method) {
  constexpr std::pair<std::uint64_t, std::string_view> kNames[] = {
      {1, "shrunk"}, {6, "imploded"},   {9, "Deflate64"}, {12, "bzip2"},
      {14, "LZMA"},  {93, "Zstandard"}, {95, "XZ"}};
  for (const auto& [number, name] : kNames)
    if (number == method) return fmt::format("method {} ({})", method, name);
  return fmt::format("method {}", method);
}

/** One member being unpacked. */
class MemberReader : public ByteSource {
 public:
  MemberReader(const RandomAccessFile& file, const ZipEntry& entry)
      : file_(file), entry_(entry), data_(file, data_begin(), entry.packed) {
    if (method_ == kDeflated)
      inflated_.emplace(data_, fmt::format("{}#{}", file.path().native(), entry.name),
                        Wrapper::None);
  }

  std::size_t read(std::span<std::byte> out) override {
    const std::size_t got = inflated_ ? inflated_->read(out) : data_.read(out);
    crc_ = crc32_of(out.first(got), crc_);
    return got;
  }

  /** Verifies size and CRC after the last byte. */
  void check() const {
    if (data_.left() > 0) refuse("is cut short");
    if (crc_ != stated_crc_ && !follows_) refuse("is damaged: its checksum is wrong");
    if (!follows_ || crc_ == stated_crc_) return;
    // Streaming writers put the CRC after the data, usually with a signature.
    std::array<std::byte, 8> behind{};
    file_.read_at(data_end_, behind);
    const auto first = std::span<const std::byte>(behind).first(4),
               second = std::span<const std::byte>(behind).last(4);
    if (load_little_endian(first) == kDescriptorSignature && load_little_endian(second) == crc_)
      return;
    if (load_little_endian(first) != crc_) refuse("is damaged: its checksum is wrong");
  }

 private:
  std::uint64_t data_begin() {
    std::array<std::byte, kLocalBytes> header;
    if (file_.read_at(entry_.begin, header) < kLocalBytes) refuse("is cut short");
    const auto field = [&](std::size_t at, std::size_t width) {
      return load_little_endian(std::span<const std::byte>(header).subspan(at, width));
    };
    if (field(0, 4) != kLocalSignature) refuse("is not where the directory says");
    const std::uint64_t flags = field(6, 2);
    method_ = field(8, 2);
    follows_ = (flags & kSizesFollow) != 0;
    stated_crc_ = static_cast<std::uint32_t>(field(14, 4));
    if ((flags & ~kHarmlessFlags) != 0)
      refuse("is encrypted or patched; pack it again without a password");
    if (method_ != kStored && method_ != kDeflated)
      refuse(fmt::format("is compressed by {}; pack it again stored or deflated",
                         method_name(method_)));
    const std::uint64_t begin = entry_.begin + kLocalBytes + field(26, 2) + field(28, 2);
    data_end_ = begin + entry_.packed;
    return begin;
  }

  [[noreturn]] void refuse(std::string_view why) const {
    fail(ErrorKind::Format, "[read zip] {}: member '{}' {}", printable(file_.path()),
         printable(entry_.name.substr(0, 100)), why);
  }

  const RandomAccessFile& file_;
  const ZipEntry& entry_;
  std::uint64_t method_ = kStored, data_end_ = 0;
  bool follows_ = false;  // sizes and sum stand behind the data
  std::uint32_t crc_ = 0, stated_crc_ = 0;
  FileSource data_;
  std::optional<GzipReader> inflated_;
};

}  // namespace

void unpack_zip_member(const RandomAccessFile& file, const ZipEntry& entry,
                       const std::function<void(std::span<const std::byte>)>& sink) {
  MemberReader member(file, entry);
  std::vector<std::byte> piece(
      static_cast<std::size_t>(std::clamp<std::uint64_t>(entry.packed, 1, 1 << 20)));
  for (std::size_t got = piece.size(); got == piece.size();) {
    got = member.read(piece);
    sink(std::span<const std::byte>(piece).first(got));
  }
  member.check();
}

std::size_t read_zip_head(const RandomAccessFile& file, const ZipEntry& entry,
                          std::span<std::byte> out) {
  return MemberReader(file, entry).read(out);
}

}  // namespace dino::format
