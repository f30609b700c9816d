// Follows Pillow: which block counts where a file has several, and what counts as a number.
#include "dino/image/codecs/exif.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "dino/image/codecs/png_chunks.h"

namespace dino::image {
namespace {

using namespace std::string_view_literals;

constexpr std::uint16_t kOrientationTag = 274;
constexpr std::size_t kMaxText = std::size_t{1} << 20;  ///< bytes of metadata that is unpacked

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<int> if_orientation(std::uint32_t value) {
  return value >= 1 && value <= 8 ? std::optional(static_cast<int>(value)) : std::nullopt;
}

/** The number in an entry of 12 bytes: the standard says SHORT, some cameras write other integers.
 */
std::optional<std::uint32_t> integer_at(const ByteReader& reader, std::size_t entry) {
  switch (reader.u16(entry + 2).value_or(0)) {
    case 1:  // BYTE
    case 6:  // SBYTE
      return reader.u8(entry + 8);
    case 3:  // SHORT
    case 8:  // SSHORT
      return reader.u16(entry + 8);
    case 4:   // LONG
    case 9:   // SLONG
    case 13:  // IFD
      return reader.u32(entry + 8);
    default:
      return std::nullopt;
  }
}

/** "\nexif\n    1234\n" and the bytes in hexadecimal digits, in lines. */
std::vector<std::byte> from_raw_profile(std::string_view text) {
  std::vector<std::byte> bytes;
  for (int line = 0; line < 3; ++line) {
    const std::size_t end = text.find('\n');
    if (end == text.npos) return bytes;
    text.remove_prefix(end + 1);
  }
  int digits = 0, value = 0;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) continue;
    value = 16 * value + digit;
    if (++digits % 2 != 0) continue;
    bytes.push_back(static_cast<std::byte>(value));
    value = 0;
  }
  return bytes;
}

/** Decompresses at most kMaxText bytes; if the data are damaged, what precedes the damage. */
std::string inflated(std::string_view packed) {
  std::string text(kMaxText, '\0');
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return {};
  // zlib does not write to what it reads.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(packed.size(), kMaxText));
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  inflate(&stream, Z_FINISH);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

/** Removes and returns the text up to the next zero byte, which is removed too. */
std::string_view take_word(std::string_view& text) {
  const std::size_t end = std::min(text.find('\0'), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

/** The text of a tEXt, zTXt or iTXt chunk behind its keyword. */
std::string chunk_text(const PngChunk& chunk, std::string_view rest) {
  if (chunk.type == "tEXt") return std::string(rest);
  if (chunk.type == "zTXt") return rest.empty() ? "" : inflated(rest.substr(1));
  if (rest.size() < 2) return {};
  const bool packed = rest[0] == 1;
  rest.remove_prefix(2);
  take_word(rest);  // language
  take_word(rest);  // translated keyword
  return packed ? inflated(rest) : std::string(rest);
}

}  // namespace

std::optional<int> orientation_in_exif(Bytes exif) {
  if (text_of(exif).starts_with("Exif\0\0"sv)) exif = exif.subspan(6);
  const bool little = text_of(exif).starts_with("II*\0"sv);
  if (!little && !text_of(exif).starts_with("MM\0*"sv)) return std::nullopt;
  const ByteReader reader(exif, little ? Endian::Little : Endian::Big);
  const std::size_t directory = reader.u32(4).value_or(0);
  const std::size_t entries = reader.u16(directory).value_or(0);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    const auto tag = reader.u16(entry);
    if (!tag) return std::nullopt;
    if (*tag != kOrientationTag) continue;
    const auto value = integer_at(reader, entry);
    return value ? if_orientation(*value) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<int> orientation_in_xmp(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (std::size_t at = xmp.find(kName); at != xmp.npos; at = xmp.find(kName, at + 1)) {
    std::string_view rest = xmp.substr(at + kName.size());
    for (const std::string_view between : {"=\""sv, "='"sv, ">"sv})
      if (rest.starts_with(between) && rest.size() > between.size())
        if (const char digit = rest[between.size()]; digit >= '1' && digit <= '8')
          return digit - '0';
  }
  return std::nullopt;
}

std::optional<int> orientation_in_png(Bytes bytes) {
  std::optional<Bytes> exif;
  std::vector<std::byte> profile;
  std::string xmp;
  PngChunks chunks(bytes);
  while (const auto chunk = chunks.next()) {
    if (chunk->type == "eXIf") exif = chunk->content;
    if (chunk->type != "tEXt" && chunk->type != "zTXt" && chunk->type != "iTXt") continue;
    std::string_view rest = text_of(chunk->content);
    const std::string_view keyword = take_word(rest);
    if (keyword == "Raw profile type exif" || keyword == "Raw profile type APP1") {
      profile = from_raw_profile(chunk_text(*chunk, rest));
      if (text_of(profile).starts_with("http://ns.adobe.com/xap/")) xmp = text_of(profile);
    } else if (keyword == "XML:com.adobe.xmp") {
      xmp = chunk_text(*chunk, rest);
    }
  }
  if (const auto orientation = orientation_in_exif(exif ? *exif : Bytes(profile)))
    return orientation;
  return orientation_in_xmp(xmp);
}

}  // namespace dino::image
