// The reading half, after POSIX.1-2001 (ustar, pax) and the GNU tar manual. Leaves out:
// folders, devices (passed over), several volumes (each part of a file is refused alone).
#include "dino/format/tar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/tar_number.h"

namespace dino::format {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kMostPadding = 2048;       // blocks of zeros between joined archives
constexpr std::uint64_t kLongestText = 1 << 20;  // of a pax header or a long name

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view until_nul(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

/** The pax records that are used here. */
struct Pax {
  std::optional<std::string> path, link;
  std::optional<std::uint64_t> size;
  PaxSparse sparse;
  bool holes = false;  ///< as Solariz describes them
};

/** "LENGTH KEY=VALUE\n" again and again; false if it is not that. */
bool parse_pax(std::string_view text, Pax& pax) {
  while (!text.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || digits >= text.size() || *end != ' ') return false;
    if (length > text.size() || length < digits + 3 || text[length - 1] != '\n') return false;
    const std::string_view record = text.substr(digits + 1, length - digits - 2);
    text.remove_prefix(length);
    const std::size_t equals = record.find('=');
    if (equals == record.npos) return false;
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") pax.path = value;
    if (key == "linkpath") pax.link = value;
    constexpr std::string_view kSparse = "GNU.sparse.";
    if (key.starts_with(kSparse)) pax.sparse.add(key.substr(kSparse.size()), value);
    if (key == "SUN.holesdata") pax.holes = true;
    if (key != "size") continue;
    std::uint64_t size = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), size);
    if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size()) return false;
    pax.size = size;
  }
  return true;
}

}  // namespace

std::optional<std::uint64_t> tar_number(std::string_view field) {
  std::uint64_t value = 0;
  if ((field[0] & '\x80') != 0) {
    for (std::size_t i = 0; i < field.size(); ++i) {
      const std::uint64_t byte = static_cast<unsigned char>(field[i]) & (i == 0 ? 0x7Fu : 0xFFu);
      if (value > kLargestTarNumber >> 8) return std::nullopt;
      value = value << 8 | byte;
    }
    return value <= kLargestTarNumber ? std::optional(value) : std::nullopt;
  }
  field = until_nul(field);
  const std::size_t begin = field.find_first_not_of(' ');
  if (begin == field.npos) return 0;  // some writers leave the sizes of folders empty
  field.remove_prefix(begin);
  field = field.substr(0, field.find(' '));
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
  if (error != std::errc() || end != field.data() + field.size()) return std::nullopt;
  return value <= kLargestTarNumber ? std::optional(value) : std::nullopt;
}

namespace {

/** Whether the header's checksum is correct. */
bool has_checksum(std::string_view block) {
  std::uint64_t sum = 8 * ' ';
  std::int64_t signed_sum = 8 * ' ';  // what writers with signed characters made
  for (std::size_t i = 0; i < kBlock; ++i) {
    if (i >= 148 && i < 156) continue;
    sum += static_cast<unsigned char>(block[i]);
    signed_sum += static_cast<signed char>(block[i]);
  }
  const auto stated = tar_number(block.substr(148, 8));
  return stated && (*stated == sum || static_cast<std::int64_t>(*stated) == signed_sum);
}

}  // namespace

// ---- members
// -------------------------------------------------------------------------------------

namespace {

constexpr char kHardLink = '1', kSymbolicLink = '2';

/** The member's path that a link names: symbolic ones start from their own folder. */
std::string link_target(const std::string& path, std::string target, bool symbolic) {
  target.resize(until_nul(target).size());
  const std::filesystem::path from = symbolic ? std::filesystem::path(path).parent_path() : "";
  return (from / target).lexically_normal().native();
}

}  // namespace

struct TarReader::Header {
  char type = '0';
  std::string path;
  std::uint64_t size = 0;
  std::string link = {};
};

/** What the extended headers before a member's own say of it. */
struct TarReader::Described {
  Pax pax;
  std::optional<std::string> long_name, long_link;
  bool any() const { return pax.path || pax.size || pax.sparse.present() || long_name; }
};

TarReader::TarReader(ByteSource& source, std::string_view name)
    : source_(source), name_(printable(name)) {}

template <typename... Args>
void TarReader::refuse(fmt::format_string<Args...> format, Args&&... args) const {
  fail(ErrorKind::Format, "[read tar] {}: {}", name_,
       fmt::format(format, std::forward<Args>(args)...));
}

/** False at the end of the source between two blocks. */
bool TarReader::read_block(std::span<std::byte> block) {
  const std::size_t got = source_.read(block);
  if (got == 0) return false;
  if (got < block.size()) refuse("ends within the header at byte {}; is it cut short?", position_);
  position_ += got;
  return true;
}

/** False at the end: of the source, or of the archive. Behind the zeros that end an archive another
 * may begin (`cat a.tar b.tar`); anything else there is padding. */
bool TarReader::read_header_block(std::span<std::byte> block) {
  for (std::size_t zeros = 0; zeros <= kMostPadding; ++zeros) {
    if (zeros == 0 ? !read_block(block) : source_.read(block) < kBlock) return false;
    if (zeros > 0) position_ += kBlock;
    if (std::ranges::any_of(block, [](std::byte b) { return b != std::byte{0}; }))
      return zeros == 0 || has_checksum(text_of(block));
  }
  return false;
}

void TarReader::pass_over(std::uint64_t count) {
  const std::uint64_t skipped = source_.skip(count);
  position_ += skipped;
  if (skipped < count)
    refuse("ends {} bytes early, at {}; is it cut short?", count - skipped, position_);
}

void TarReader::finish_member() {
  pass_over(std::exchange(left_, 0));
  pass_over(std::exchange(padding_, 0));
}

std::size_t TarReader::read_stored(std::span<std::byte> out) {
  const auto want = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left_)));
  const std::size_t got = source_.read(want);
  position_ += got;
  left_ -= got;
  if (got < want.size()) refuse("ends {} bytes early, at {}; is it cut short?", left_, position_);
  return got;
}

std::size_t TarReader::read(std::span<std::byte> out) {
  if (!sparse_) return read_stored(out);
  const auto& extents = sparse_->extents;
  std::size_t filled = 0;
  while (filled < out.size() && expanded_ < sparse_->size) {
    while (extent_ < extents.size() &&
           extents[extent_].offset + extents[extent_].bytes <= expanded_)
      ++extent_;
    const bool hole = extent_ == extents.size() || expanded_ < extents[extent_].offset;
    const std::uint64_t end = extent_ == extents.size() ? sparse_->size
                              : hole                    ? extents[extent_].offset
                                     : extents[extent_].offset + extents[extent_].bytes;
    const auto part = out.subspan(filled, static_cast<std::size_t>(std::min<std::uint64_t>(
                                              out.size() - filled, end - expanded_)));
    if (hole)
      std::ranges::fill(part, std::byte{0});
    else
      read_stored(part);
    filled += part.size();
    expanded_ += part.size();
  }
  return filled;
}

/** The data of a header that describes the next one. */
std::string TarReader::read_text(const Header& header) {
  if (header.size > kLongestText) {
    refuse("a name of {} bytes at byte {} (at most {})", header.size, position_, kLongestText);
  }
  std::string text(static_cast<std::size_t>(header.size), '\0');
  left_ = header.size;
  padding_ = (kBlock - header.size % kBlock) % kBlock;
  read_stored(std::as_writable_bytes(std::span(text)));
  finish_member();
  return text;
}

TarReader::Header TarReader::parse_header(std::string_view block, std::uint64_t at) const {
  if (!has_checksum(block))
    refuse("no member header at byte {}: damaged, or not a tar archive", at);
  const auto size = tar_number(block.substr(124, 12));
  if (!size) refuse("the member at byte {} has no readable size", at);
  Header header{block[156], std::string(until_nul(block.substr(0, 100))), *size,
                std::string(until_nul(block.substr(157, 100)))};
  if (block.substr(257, 6) == std::string_view("ustar\0", 6)) {  // GNU keeps times in the prefix
    if (const auto prefix = until_nul(block.substr(345, 155)); !prefix.empty())
      header.path = fmt::format("{}/{}", prefix, header.path);
  }
  return header;
}

/** Whether this is an extended header, which describes the next one. */
bool TarReader::describes(const Header& header, std::uint64_t at, Described& described) {
  switch (header.type) {
    case 'L':
      described.long_name = std::string(until_nul(read_text(header)));
      return true;
    case 'x':
      if (!parse_pax(read_text(header), described.pax)) refuse("damaged pax header at byte {}", at);
      return true;
    case 'K':
      described.long_link = std::string(until_nul(read_text(header)));
      return true;
    case 'g':  // for all members; nobody puts a path or size there
      read_text(header);
      return true;
    default:
      return false;
  }
}

/** Reads the map of a sparse member, which may go on in blocks behind its header or begin its data;
 * returns why it cannot be read, if so. */
std::string TarReader::begin_sparse(const Header& header, std::string_view block,
                                    const Described& described) {
  std::array<std::byte, kBlock> buffer;
  const auto next_block = [&] {
    if (!read_block(buffer)) refuse("ends within a sparse member at byte {}", position_);
    return text_of(buffer);
  };
  const PaxSparse& pax = described.pax.sparse;
  std::optional<SparseMap> map;
  if (header.type == 'S') {
    map = old_sparse_map(block, next_block);
  } else if (pax.map_in_data()) {
    const auto numbers = sparse_numbers([&] {
      if (left_ < kBlock) refuse("a sparse member without its map at byte {}", position_);
      left_ -= kBlock;
      return next_block();
    });
    if (numbers) map = pax.map(*numbers);
  } else {
    map = pax.map();
  }
  if (!map || !is_sound(*map, left_)) return "it is sparse, and its map is damaged or absurd";
  sparse_ = std::move(map);
  return "";
}

TarMember TarReader::begin_member(const Header& header, std::string_view block,
                                  const Described& described) {
  const Pax& pax = described.pax;
  const bool bodiless = header.type >= '1' && header.type <= '6';
  TarMember member;
  member.path = pax.sparse.name()     ? *pax.sparse.name()
                : pax.path            ? *pax.path
                : described.long_name ? *described.long_name
                                      : header.path;
  member.path.resize(until_nul(member.path).size());
  while (member.path.starts_with("./")) member.path.erase(0, 2);
  member.size = bodiless ? 0 : pax.size.value_or(header.size);
  if (member.size > kLargestTarNumber)
    refuse("the member at byte {} has an absurd size", position_);
  left_ = member.size;
  padding_ = (kBlock - member.size % kBlock) % kBlock;
  sparse_.reset();
  expanded_ = 0;
  extent_ = 0;
  if (header.type == 'S' || pax.sparse.present()) {
    member.refused = begin_sparse(header, block, described);
    member.sparse = sparse_.has_value();
    if (sparse_) member.size = sparse_->size;
  } else if (header.type == 'M') {
    member.refused = "it is continued from another volume";
  } else if (pax.holes) {
    member.refused = "it is sparse, as Solariz writes it";
  }
  if (header.type == kHardLink || header.type == kSymbolicLink) {
    member.link = link_target(member.path,
                              pax.link              ? *pax.link
                              : described.long_link ? *described.long_link
                                                    : header.link,
                              header.type == kSymbolicLink);
    member.refused = fmt::format("it is a link to '{}'", printable(member.link));
  }
  member.offset = position_;
  return member;
}

std::optional<TarMember> TarReader::next() {
  if (finished_) return std::nullopt;
  finish_member();
  Described described;
  std::array<std::byte, kBlock> block;
  std::uint64_t begin = position_;
  for (;;) {
    if (!read_header_block(block)) {
      if (described.any()) refuse("ends where a member should follow, at byte {}", position_);
      finished_ = true;
      return std::nullopt;
    }
    const std::uint64_t at = position_ - kBlock;
    const Header header = parse_header(text_of(block), at);
    if (describes(header, at, described)) continue;
    TarMember member = begin_member(header, text_of(block), described);
    member.header = begin;
    const bool regular =
        std::string_view("0\000127SM", 7).find(header.type) != std::string_view::npos;
    // Before POSIX a folder was a file whose name ends in a slash.
    if (regular && !member.path.empty() && member.path.back() != '/') return member;
    finish_member();
    described = {};
    begin = position_;
  }
}

}  // namespace dino::format
