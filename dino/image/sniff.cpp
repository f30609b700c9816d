// Signatures of file formats, for telling kinds apart and for naming what is not supported.
#include "dino/image/sniff.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace dino::image {
namespace {

using namespace std::string_view_literals;

std::string_view text_of(std::span<const std::byte> bytes, std::size_t limit) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), limit)};
}

bool is_text(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return code >= 0x20 || code == '\n' || code == '\r' || code == '\t' || code == '\f';
  });
}

/** "BM" begins many a text: the size of the second header tells. */
bool is_bmp(std::string_view head) {
  if (!head.starts_with("BM") || head.size() < 16) return false;
  const auto size = static_cast<unsigned char>(head[14]);
  return head[15] == 0 && (size == 12 || size == 40 || size == 52 || size == 56 || size == 64 ||
                           size == 108 || size == 124);
}

bool is_pnm(std::string_view head) {
  return head.size() >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '6' &&
         (head[2] == ' ' || (head[2] >= '\t' && head[2] <= '\r') || head[2] == '#');
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
  const std::string_view head = text_of(bytes, 16);
  if (head.starts_with("\xFF\xD8\xFF")) return ImageKind::Jpeg;
  if (head.starts_with("\x89PNG\r\n\x1A\n")) return ImageKind::Png;
  if (head.starts_with("RIFF") &&
      head.substr(std::min<std::size_t>(8, head.size())).starts_with("WEBP"))
    return ImageKind::WebP;
  for (const std::string_view tiff : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
    if (head.starts_with(tiff)) return ImageKind::Tiff;
  if (head.starts_with("GIF87a") || head.starts_with("GIF89a")) return ImageKind::Gif;
  if (is_bmp(head)) return ImageKind::Bmp;
  if (is_pnm(head)) return ImageKind::Pnm;
  return ImageKind::Unknown;
}

std::string_view name_of(ImageKind kind) {
  static constexpr std::string_view kNames[] = {"unknown", "jpeg", "png", "webp",
                                                "tiff",    "gif",  "bmp", "pnm"};
  return kNames[static_cast<std::size_t>(kind)];
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
      {0, {"II+\0", 4}, "a TIFF image"},
      {0, {"MM\0+", 4}, "a TIFF image"},
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
