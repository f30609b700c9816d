// The reading half, after POSIX.1-2001 (ustar, pax) and the GNU tar manual. Leaves out: links,
// folders, devices (passed over), sparse files and several volumes (refused).
#include "dino/format/tar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "dino/base/error.h"
#include "dino/base/text.h"

namespace dino::format {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kLongestText = 1 << 20;  // of a pax header or a long name
constexpr std::uint64_t kLargestMember = std::uint64_t{1} << 62;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view until_nul(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

/** Octal digits among spaces and zeros, or base 256 marked by the first bit. */
std::optional<std::uint64_t> number(std::string_view field) {
  std::uint64_t value = 0;
  if ((field[0] & '\x80') != 0) {
    for (std::size_t i = 0; i < field.size(); ++i) {
      const std::uint64_t byte = static_cast<unsigned char>(field[i]) & (i == 0 ? 0x7Fu : 0xFFu);
      if (value > kLargestMember >> 8) return std::nullopt;
      value = value << 8 | byte;
    }
    return value <= kLargestMember ? std::optional(value) : std::nullopt;
  }
  field = until_nul(field);
  const std::size_t begin = field.find_first_not_of(' ');
  if (begin == field.npos) return 0;  // some writers leave the sizes of folders empty
  field.remove_prefix(begin);
  field = field.substr(0, field.find(' '));
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
  if (error != std::errc() || end != field.data() + field.size()) return std::nullopt;
  return value <= kLargestMember ? std::optional(value) : std::nullopt;
}

/** What pax records say that matters here. */
struct Pax {
  std::optional<std::string> path;
  std::optional<std::uint64_t> size;
  bool sparse = false;
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
    if (key.starts_with("GNU.sparse.")) pax.sparse = true;
    if (key != "size") continue;
    std::uint64_t size = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), size);
    if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size()) return false;
    pax.size = size;
  }
  return true;
}

}  // namespace

// ---- members
// -------------------------------------------------------------------------------------

struct TarReader::Header {
  char type = '0';
  std::string path;
  std::uint64_t size = 0;
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

std::size_t TarReader::read(std::span<std::byte> out) {
  const auto want = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left_)));
  const std::size_t got = source_.read(want);
  position_ += got;
  left_ -= got;
  if (got < want.size()) refuse("ends {} bytes early, at {}; is it cut short?", left_, position_);
  return got;
}

/** The data of a header that describes the next one. */
std::string TarReader::read_text(const Header& header) {
  if (header.size > kLongestText) {
    refuse("a name of {} bytes at byte {} (at most {})", header.size, position_, kLongestText);
  }
  std::string text(static_cast<std::size_t>(header.size), '\0');
  left_ = header.size;
  padding_ = (kBlock - header.size % kBlock) % kBlock;
  read(std::as_writable_bytes(std::span(text)));
  finish_member();
  return text;
}

std::optional<TarMember> TarReader::next() {
  if (finished_) return std::nullopt;
  finish_member();
  Pax pax;
  std::optional<std::string> long_name;
  std::array<std::byte, kBlock> block;
  for (;;) {
    const std::uint64_t at = position_;
    const bool described = pax.path || pax.size || long_name;  // a header without its member
    if (!read_block(block) ||
        std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; })) {
      if (described) refuse("ends where a member should follow, at byte {}", at);
      finished_ = true;
      return std::nullopt;
    }

    const std::string_view text = text_of(block);
    std::uint64_t sum = 8 * ' ';
    std::int64_t signed_sum = 8 * ' ';  // what writers with signed characters made
    for (std::size_t i = 0; i < kBlock; ++i) {
      if (i >= 148 && i < 156) continue;
      sum += static_cast<unsigned char>(text[i]);
      signed_sum += static_cast<signed char>(text[i]);
    }
    const auto stated = number(text.substr(148, 8));
    if (!stated || (*stated != sum && static_cast<std::int64_t>(*stated) != signed_sum)) {
      refuse("no member header at byte {}: damaged, or not a tar archive", at);
    }
    const auto size = number(text.substr(124, 12));
    if (!size) refuse("the member at byte {} has no readable size", at);
    Header header{text[156], std::string(until_nul(text.substr(0, 100))), *size};
    if (text.substr(257, 6) == std::string_view("ustar\0", 6)) {  // GNU keeps times in the prefix
      if (const auto prefix = until_nul(text.substr(345, 155)); !prefix.empty())
        header.path = fmt::format("{}/{}", prefix, header.path);
    }

    switch (header.type) {
      case 'L':
        long_name = std::string(until_nul(read_text(header)));
        continue;
      case 'x':
        if (!parse_pax(read_text(header), pax)) refuse("damaged pax header at byte {}", at);
        continue;
      case 'K':  // long name of a link
      case 'g':  // for all members; nobody puts a path or size there
        read_text(header);
        continue;
      case 'S':
      case 'M':
        refuse("the member at byte {} is {}, which is not supported", at,
               header.type == 'S' ? "sparse" : "continued from another volume");
      default:
        break;
    }
    if (pax.sparse) refuse("the member at byte {} is sparse, which is not supported", at);
    const bool regular = header.type == '0' || header.type == '\0' || header.type == '7';
    const bool bodiless = header.type >= '1' && header.type <= '6';
    TarMember member;
    member.path = pax.path ? *pax.path : long_name ? *long_name : header.path;
    member.size = bodiless ? 0 : pax.size.value_or(header.size);
    if (member.size > kLargestMember) refuse("the member at byte {} has an absurd size", at);
    member.offset = position_;
    left_ = member.size;
    padding_ = (kBlock - member.size % kBlock) % kBlock;
    while (member.path.starts_with("./")) member.path.erase(0, 2);
    // Before POSIX a folder was a file whose name ends in a slash.
    if (regular && !member.path.empty() && member.path.back() != '/') return member;
    finish_member();
    pax = {};
    long_name.reset();
  }
}

}  // namespace dino::format
