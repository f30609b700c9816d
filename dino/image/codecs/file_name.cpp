#include "dino/image/codecs/file_name.h"

#include <algorithm>
#include <array>
#include <string>

namespace dino::image {
namespace {

/** Extensions of one kind, each after a space, small letters. */
struct Extensions {
  std::string_view list;
  std::string_view what;
  std::string_view remedy;
};

constexpr std::array kImages = {
    Extensions{" .jpg .jpeg .jpe .jfif .jif .jfi .pjpeg .pjp .mpo", "a JPEG image", ""},
    Extensions{" .png .apng", "a PNG image", ""},
    Extensions{" .webp", "a WebP image", ""},
    Extensions{" .tif .tiff .btf .tf8", "a TIFF image", ""},
    Extensions{" .gif", "a GIF image", ""},
    Extensions{" .bmp", "a BMP image", ""},
    Extensions{" .pbm .pgm .ppm .pnm", "a PNM image", ""},
    Extensions{" .heic .heif .hif", "a HEIC image", ""},
    Extensions{" .avif", "an AVIF image", ""},
    Extensions{" .jxl", "a JPEG XL image", ""},
    Extensions{" .jp2 .j2k .j2c .jpc .jpf .jpx", "a JPEG 2000 image", ""},
    Extensions{" .dcm .dicom .dic", "a DICOM image", ""},
};

constexpr std::string_view kToPng = "convert it to PNG, TIFF or JPEG";
constexpr std::string_view kToSlices = "convert its slices to PNG, TIFF or NPY";
constexpr std::string_view kToFrames = "extract its frames as images";
constexpr std::string_view kToTiles = "export it as TIFF, or its tiles as PNG";

constexpr std::array kUnreadable = {
    Extensions{" .nii .nii.gz", "a NIfTI volume", kToSlices},
    Extensions{" .nrrd .nhdr", "an NRRD volume", kToSlices},
    Extensions{" .mha .mhd", "a MetaImage volume", kToSlices},
    Extensions{" .mnc .mgh .mgz .img .analyze", "a medical volume", kToSlices},
    Extensions{" .jls", "a JPEG-LS image", kToPng},
    Extensions{" .jxr .wdp .hdp", "a JPEG XR image", kToPng},
    Extensions{" .exr", "an OpenEXR image", "convert it to a float TIFF or NPY"},
    Extensions{" .hdr .pic", "a Radiance HDR image", "convert it to a float TIFF or NPY"},
    Extensions{" .pfm", "a PFM image", "convert it to a float TIFF or NPY"},
    Extensions{" .fits .fit .fts", "a FITS image", "convert it to a float TIFF or NPY"},
    Extensions{" .pam .qoi .tga .pcx .sgi .ras .xbm .xpm .wbmp .dds .ktx .ktx2 .bpg .flif",
               "an image of a rare kind", kToPng},
    Extensions{" .ico .cur .icns .ani", "an icon", kToPng},
    Extensions{" .psd .psb .xcf .kra .ora .afphoto .clip", "a layered drawing", kToPng},
    Extensions{" .svg .svgz .eps .ai .wmf .emf .cdr", "a vector drawing", "render it as PNG"},
    Extensions{" .pdf .djvu", "a document of pages", "render its pages as PNG"},
    Extensions{" .dng .cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .raf .orf .rw2 .pef .srw .x3f .3fr"
               " .iiq .mrw .erf .kdc .rwl",
               "a camera's raw file", "develop it to TIFF or JPEG"},
    Extensions{" .svs .ndpi .scn .mrxs .vms .vmu .bif .czi .lif .lsm .nd2 .oib .oif .vsi .ims .zvi"
               " .qptiff .isyntax",
               "a microscope's file", kToTiles},
    Extensions{" .mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .flv .mts .m2ts .3gp .ogv .mjpeg",
               "a video", kToFrames},
};

std::string lower_name(std::string_view path) {
  std::string name(path.substr(path.find_last_of('/') + 1));
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return name;
}

/** The entry whose list has `extension`; null if none has. Called for each file of a data set. */
template <std::size_t count>
const Extensions* find(const std::array<Extensions, count>& table, std::string_view extension) {
  for (const Extensions& entry : table)
    for (std::size_t at = 0; (at = entry.list.find(extension, at)) != std::string_view::npos;) {
      const bool begins = entry.list[at - 1] == ' ';  // each list begins with a blank
      at += extension.size();
      if (begins && (at == entry.list.size() || entry.list[at] == ' ')) return &entry;
    }
  return nullptr;
}

}  // namespace

NameHint hint_of_name(std::string_view path) {
  std::string name = lower_name(path);
  const auto dot = name.find_last_of('.');
  if (name.empty() || name == "." || name == "..") return {};
  // A point at the start hides a file and begins no extension.
  if (dot == std::string::npos || dot == 0 || dot + 1 == name.size())
    return {.found = NameClass::Unnamed, .what = "", .remedy = ""};
  std::string extension = name.substr(dot);
  if (extension.find_first_not_of("0123456789", 1) == std::string::npos)
    return {.found = NameClass::Unnamed, .what = "", .remedy = ""};
  if (name.ends_with(".nii.gz")) extension = ".nii.gz";
  if (const Extensions* known = find(kImages, extension))
    return {.found = NameClass::Image, .what = known->what, .remedy = ""};
  if (const Extensions* known = find(kUnreadable, extension))
    return {.found = NameClass::Unreadable, .what = known->what, .remedy = known->remedy};
  return {};
}

bool has_image_extension(std::string_view path) {
  return hint_of_name(path).found == NameClass::Image;
}

std::string_view image_extensions() {
  static const std::string kAll = [] {
    std::string all;
    for (const Extensions& entry : kImages) all += entry.list;
    return all.substr(1);
  }();
  return kAll;
}

}  // namespace dino::image
