// Signatures of file formats, for telling kinds apart and for naming what is not supported.
#include "dino/image/codecs/sniff.h"

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

/** Whether these are bitmaps: "BM" may begin a text, so the size of the second header is checked.
 */
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

/** Whether this is a DICOM file: one with the mark after any preamble (some are TIFF files, too),
 * or an old one that begins with an element of a low group. */
bool is_dicom(std::string_view head) {
  if (head.size() >= 132 && head.substr(128, 4) == "DICM") return true;
  if (head.size() < 16) return false;
  if (head.starts_with("\x02\0\0\0UL\x04\0"sv)) return true;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(head[i]); };
  const auto is_letter = [&](std::size_t i) { return head[i] >= 'A' && head[i] <= 'Z'; };
  const bool little = head.starts_with("\x08\0"sv) && byte(3) == 0;
  const bool big = head.starts_with("\0\x08\0"sv);
  constexpr std::string_view kFirst = "\x00\x01\x05\x08\x12\x13\x14\x16\x18"sv;
  if ((!little && !big) || kFirst.find(head[little ? 2 : 3]) == kFirst.npos) return false;
  if (is_letter(4) && is_letter(5)) return true;
  // A group's length takes 4 bytes, what follows it an even number.
  const bool likely =
      byte(2) == 0 ? byte(4) == 4 : byte(4) > 0 && byte(4) <= 64 && byte(4) % 2 == 0;
  return little && likely && byte(5) == 0 && byte(6) == 0 && byte(7) == 0;
}

/** The kind of an ISO media file: by its own brand, else by those it is compatible with. */
ImageKind kind_of_brands(std::string_view head) {
  constexpr std::string_view kHevc[] = {"heic", "heix", "hevc", "hevx",
                                        "heim", "heis", "hevm", "hevs"};
  const auto kind_of_brand = [&](std::string_view brand) {
    if (brand == "avif" || brand == "avis") return ImageKind::Avif;
    return std::ranges::find(kHevc, brand) != std::end(kHevc) ? ImageKind::Heic
                                                              : ImageKind::Unknown;
  };
  if (head.size() < 12 || head.substr(4, 4) != "ftyp") return ImageKind::Unknown;
  const std::string_view own = head.substr(8, 4);
  if (const ImageKind kind = kind_of_brand(own); kind != ImageKind::Unknown) return kind;
  if (own != "mif1" && own != "msf1" && own != "miaf") return ImageKind::Unknown;
  std::size_t end = 0;
  for (std::size_t i = 0; i < 4; ++i) end = end << 8 | static_cast<unsigned char>(head[i]);
  for (std::size_t at = 16; at + 4 <= std::min(end, head.size()); at += 4)
    if (const ImageKind kind = kind_of_brand(head.substr(at, 4)); kind != ImageKind::Unknown)
      return kind;
  return ImageKind::Heic;  // a still image of a codec that its reader names
}

struct Signature {
  std::size_t at;
  std::string_view bytes;
  std::string_view name;
};

bool matches(std::string_view head, const Signature& signature) {
  return head.size() > signature.at && head.substr(signature.at).starts_with(signature.bytes);
}

constexpr std::string_view kKindNames[] = {"unknown", "jpeg",      "png",  "webp", "tiff",
                                           "gif",     "bmp",       "pnm",  "heic", "avif",
                                           "jpeg_xl", "jpeg_2000", "dicom"};

}  // namespace

ImageKind kind_of(std::span<const std::byte> bytes) {
  const std::string_view head = text_of(bytes, kSniffBytes);
  if (is_dicom(head)) return ImageKind::Dicom;
  if (head.starts_with("\xFF\xD8\xFF\xF7")) return ImageKind::Unknown;  // JPEG-LS
  if (head.starts_with("\xFF\xD8\xFF")) return ImageKind::Jpeg;
  if (head.starts_with("\x89PNG\r\n\x1A\n")) return ImageKind::Png;
  if (head.starts_with("RIFF") &&
      head.substr(std::min<std::size_t>(8, head.size())).starts_with("WEBP"))
    return ImageKind::WebP;
  for (const std::string_view tiff : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
    if (head.starts_with(tiff)) return ImageKind::Tiff;
  if (head.starts_with("GIF87a") || head.starts_with("GIF89a")) return ImageKind::Gif;
  for (const std::string_view jpeg_2000 : {"\0\0\0\x0CjP  \r\n\x87\n"sv, "\xFF\x4F\xFF\x51"sv})
    if (head.starts_with(jpeg_2000)) return ImageKind::Jpeg2000;
  for (const std::string_view jpeg_xl : {"\0\0\0\x0CJXL \r\n\x87\n"sv, "\xFF\x0A"sv})
    if (head.starts_with(jpeg_xl)) return ImageKind::JpegXl;
  if (is_bmp(head)) return ImageKind::Bmp;
  if (is_pnm(head)) return ImageKind::Pnm;
  return kind_of_brands(head);
}

std::string_view name_of(ImageKind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

std::string_view describe(std::span<const std::byte> bytes) {
  static constexpr std::string_view kRead[] = {"",
                                               "a JPEG image",
                                               "a PNG image",
                                               "a WebP image",
                                               "a TIFF image",
                                               "a GIF image",
                                               "a BMP image",
                                               "a PNM image",
                                               "a HEIC image",
                                               "an AVIF image",
                                               "a JPEG XL image",
                                               "a JPEG 2000 image",
                                               "a DICOM file"};
  static constexpr Signature kOthers[] = {
      {0, "\xFF\xD8\xFF\xF7", "a JPEG-LS image (convert it to PNG)"},
      {0, "BM", "a BMP image"},
      {344, "n+1\0"sv, "a NIfTI volume (convert its slices to PNG, TIFF or NPY)"},
      {344, "ni1\0"sv, "a NIfTI volume (convert its slices to PNG, TIFF or NPY)"},
      {4, "n+2\0"sv, "a NIfTI volume (convert its slices to PNG, TIFF or NPY)"},
      {0, "NRRD000", "an NRRD volume (convert its slices to PNG, TIFF or NPY)"},
      {0, "ObjectType = Image", "a MetaImage volume (convert its slices to PNG, TIFF or NPY)"},
      {0, "SIMPLE  =", "a FITS image (convert it to a float TIFF or NPY)"},
      {0, "\x76\x2F\x31\x01", "an OpenEXR image (convert it to a float TIFF or NPY)"},
      {0, "#?RADIANCE", "a Radiance HDR image (convert it to a float TIFF or NPY)"},
      {0, "PF\n", "a PFM image (convert it to a float TIFF or NPY)"},
      {0, "Pf\n", "a PFM image (convert it to a float TIFF or NPY)"},
      {0, "P7\n", "a PAM image (convert it to PNG)"},
      {0, "qoif", "a QOI image (convert it to PNG)"},
      {0, "II\xBC", "a JPEG XR image (convert it to PNG)"},
      {0, "8BPS", "a Photoshop drawing (convert it to PNG)"},
      {0, "gimp xcf", "a GIMP drawing (convert it to PNG)"},
      {0, "DDS ", "a DDS texture (convert it to PNG)"},
      {0, {"\0\0\1\0", 4}, "an icon (convert it to PNG)"},
      {0, "icns", "an icon (convert it to PNG)"},
      {4, "ftypcrx ", "a camera's raw file (develop it to TIFF or JPEG)"},
      {0, "FUJIFILMCCD-RAW", "a camera's raw file (develop it to TIFF or JPEG)"},
      {4, "ftyp", "an MP4 video (extract its frames as images)"},
      {0, "\x1A\x45\xDF\xA3", "a Matroska video (extract its frames as images)"},
      {8, "AVI ", "an AVI video (extract its frames as images)"},
      {0, "\x89HDF\r\n", "an HDF5 file (convert its images to PNG or NPY)"},
      {0, "MATLAB 5.0", "a MATLAB file (convert its images to PNG or NPY)"},
      {0, "\x93NUMPY", "a NumPy array (give the file itself as the data set)"},
      {0, "%PDF", "a PDF document"},
      {0, "%!PS", "a PostScript drawing"},
      {0, "\x1F\x8B", "a gzip archive"},
      {0, "PK\x03\x04", "a zip archive"},
      {257, "ustar", "a tar archive"},
      {0, "7z\xBC\xAF", "a 7-Zip archive"},
      {0, "Rar!", "a RAR archive"},
      {0,
       "\xFD"
       "7zXZ",
       "an xz archive"},
      {0, "BZh", "a bzip2 archive"},
      {0, "\x28\xB5\x2F\xFD", "a Zstandard archive"},
      {0, "PAR1", "a Parquet table"},
  };
  if (bytes.empty()) return "an empty file";
  if (const ImageKind kind = kind_of(bytes); kind != ImageKind::Unknown)
    return kRead[static_cast<std::size_t>(kind)];
  const std::string_view head = text_of(bytes, kSniffBytes);
  const auto* const other = std::ranges::find_if(
      kOthers, [&](const Signature& signature) { return matches(head, signature); });
  if (other != std::end(kOthers)) return other->name;
  return is_text(head) ? describe_text(head) : "unknown binary data";
}

}  // namespace dino::image
