// Signatures of file formats, for telling kinds apart and for naming what is not supported.
#include "dino/image/sniff.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace dino::image {
namespace {

std::string_view text_of(std::span<const std::byte> bytes, std::size_t limit) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), limit)};
}

bool is_text(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return code >= 0x20 || code == '\n' || code == '\r' || code == '\t' || code == '\f';
  });
}

std::string_view describe_text(std::string_view head) {
  std::string lower(head);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (lower.find("<svg") != std::string::npos) return "an SVG drawing";
  if (lower.find("<html") != std::string::npos || lower.find("<!doctype html") != std::string::npos)
    return "an HTML page";
  if (lower.starts_with("<?xml")) return "an XML document";
  if (lower.starts_with("version https://git-lfs"))
    return "a Git LFS pointer (fetch the real file)";
  return "text";
}

}  // namespace

ImageKind kind_of(std::span<const std::byte> bytes) {
  const std::string_view head = text_of(bytes, 8);
  if (head.starts_with("\xFF\xD8\xFF")) return ImageKind::Jpeg;
  if (head == "\x89PNG\r\n\x1A\n") return ImageKind::Png;
  return ImageKind::Unknown;
}

std::string_view describe(std::span<const std::byte> bytes) {
  struct Signature {
    std::size_t at;
    std::string_view bytes;
    std::string_view name;
  };
  static constexpr Signature kSignatures[] = {
      {0, "\xFF\xD8\xFF", "a JPEG image"},
      {0, "\x89PNG\r\n\x1A\n", "a PNG image"},
      {0, "GIF8", "a GIF image"},
      {8, "WEBP", "a WebP image"},
      {0, {"II*\0", 4}, "a TIFF image"},
      {0, {"MM\0*", 4}, "a TIFF image"},
      {0, "BM", "a BMP image"},
      {4, "ftypavif", "an AVIF image"},
      {4, "ftyphei", "a HEIC image"},
      {4, "ftypmif1", "a HEIC image"},
      {4, "ftyp", "an MP4 video"},
      {4, "jP  ", "a JPEG 2000 image"},
      {0, "\xFF\x0A", "a JPEG XL image"},
      {0, "%PDF", "a PDF document"},
      {0, "\x1F\x8B", "a gzip archive"},
      {0, "PK\x03\x04", "a zip archive"},
  };
  if (bytes.empty()) return "an empty file";
  const std::string_view head = text_of(bytes, 512);
  for (const Signature& signature : kSignatures)
    if (head.size() > signature.at && head.substr(signature.at).starts_with(signature.bytes))
      return signature.name;
  return is_text(head) ? describe_text(head) : "unknown binary data";
}

}  // namespace dino::image
