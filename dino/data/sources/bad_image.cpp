#include "dino/data/sources/bad_image.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

#include "dino/base/byte_source.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"
#include "dino/image/codecs/decode.h"

namespace dino::data {
namespace {

constexpr std::string_view kReasonNames[] = {"missing",   "unreadable", "empty",    "not_an_image",
                                             "truncated", "corrupt",    "too_large"};

/** Whether the format's end marker is missing near the end, after which programs may append bytes.
 */
bool ends_early(std::span<const std::byte> bytes) {
  constexpr std::size_t kTail = 4096;
  const auto tail = bytes.last(std::min(bytes.size(), kTail));
  const std::string_view text(reinterpret_cast<const char*>(tail.data()), tail.size());
  switch (image::kind_of(bytes)) {
    case image::ImageKind::Jpeg:
    case image::ImageKind::Jpeg2000:
      return text.find("\xFF\xD9") == text.npos;
    case image::ImageKind::Png:
      return text.find("IEND") == text.npos;
    case image::ImageKind::Gif:
      return text.find(';') == text.npos;
    case image::ImageKind::WebP:  // RIFF says how many bytes follow the first eight
      return bytes.size() < 8 || format::load_little_endian(bytes.subspan(4, 4)) > bytes.size() - 8;
    default:
      return false;
  }
}

bool says_truncated(std::string_view message) {
  return message.find("[decode] truncated") != message.npos ||
         message.find("the file ends early") != message.npos;
}

BadReason reason_of_bytes(std::span<const std::byte> bytes, std::string_view message) {
  if (bytes.empty()) return BadReason::Empty;
  if (image::kind_of(bytes) == image::ImageKind::Unknown) return BadReason::NotAnImage;
  if (message.find("above the limit") != message.npos) return BadReason::TooLarge;
  return says_truncated(message) || ends_early(bytes) ? BadReason::Truncated : BadReason::Corrupt;
}

}  // namespace

std::string_view bad_reason_name(BadReason reason) {
  return kReasonNames[static_cast<std::size_t>(reason)];
}

std::optional<BadReason> bad_reason_from_name(std::string_view name) {
  const auto found = std::ranges::find(kReasonNames, name);
  if (found == std::end(kReasonNames)) return std::nullopt;
  return static_cast<BadReason>(found - std::begin(kReasonNames));
}

std::string bad_reasons(const std::map<BadReason, std::int64_t>& counts) {
  std::vector<std::pair<BadReason, std::int64_t>> ranked(counts.begin(), counts.end());
  std::ranges::stable_sort(ranked, std::greater{}, [](const auto& entry) { return entry.second; });
  std::string text;
  for (const auto& [reason, count] : ranked)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, bad_reason_name(reason));
  return text;
}

BadReason reason_of(const Error& error) {
  if (const auto* bad = dynamic_cast<const BadImage*>(&error)) return bad->reason();
  return error.kind() == ErrorKind::Io ? BadReason::Unreadable : BadReason::Corrupt;
}

namespace {

/** `decode`'s result, or a BadImage that names `name`. */
template <typename Decode>
auto decoded(std::span<const std::byte> bytes, std::string_view name, const Decode& decode) {
  try {
    return decode();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Format) throw;
    throw BadImage(error.kind(), reason_of_bytes(bytes, error.what()),
                   fmt::format("{} ({})", error.what(), printable(name)));
  }
}

}  // namespace

image::Image decode_image(std::span<const std::byte> bytes, const FileDecoding& decoding,
                          std::string_view name) {
  return decoded(bytes, name,
                 [&] { return image::decode(bytes, decoding.channels, decoding.options); });
}

image::Planes decode_image_wide(std::span<const std::byte> bytes, const FileDecoding& decoding,
                                std::string_view name) {
  return decoded(bytes, name,
                 [&] { return image::decode_wide(bytes, decoding.channels, decoding.options); });
}

namespace {

/** Returns read(); throws BadImage if the file cannot be read. */
template <typename Read>
std::vector<std::byte> read_or_refuse(const std::filesystem::path& path, const Read& read) {
  try {
    return read();
  } catch (const BadImage&) {
    throw;
  } catch (const Error& error) {
    std::error_code ignored;
    const bool there = std::filesystem::exists(path, ignored);
    throw BadImage(error.kind(), there ? BadReason::Unreadable : BadReason::Missing, error.what());
  }
}

}  // namespace

std::vector<std::byte> read_image_file(const std::filesystem::path& path) {
  return read_or_refuse(path, [&] { return read_regular_file(path); });
}

std::vector<std::byte> read_image_page(const std::filesystem::path& path, int page) {
  return read_or_refuse(path, [&] {
    const RandomAccessFile file(path);
    return read_image_page(image::tiff_in_file(file, 0, file.size()), page, path.native());
  });
}

std::vector<std::byte> read_image_page(const image::TiffSource& file, int page,
                                       std::string_view name,
                                       std::optional<std::uint64_t> directory) {
  try {
    return directory ? image::read_tiff_directory(file, *directory)
                     : image::read_tiff_page(file, page);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Format) throw;
    throw BadImage(error.kind(),
                   says_truncated(error.what()) ? BadReason::Truncated : BadReason::Corrupt,
                   fmt::format("{} ({}#{})", error.what(), printable(name), page));
  }
}

}  // namespace dino::data
