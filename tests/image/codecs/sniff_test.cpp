// What the first bytes of files say, and that what is not read is refused by its name.
#include "dino/image/codecs/sniff.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/codecs/decode.h"

namespace dino::image {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/** `text` at an offset of zeros. */
std::string at(std::size_t offset, std::string_view text) {
  return std::string(offset, '\0') + std::string(text) + std::string(64, '\0');
}

TEST(Sniff, Kinds) {
  const auto expect = [](std::string_view text, std::string_view name) {
    EXPECT_EQ(name_of(kind_of(bytes_of(text))), name) << text;
  };
  expect("\xFF\xD8\xFF\xE0"sv, "jpeg");
  expect(
      "\0\0\0\x18"
      "ftypheic\0\0\0\0mif1heic"sv,
      "heic");
  expect(
      "\0\0\0\x1C"
      "ftypavif\0\0\0\0avifmif1miaf"sv,
      "avif");
  expect(
      "\0\0\0\x1C"
      "ftypmif1\0\0\0\0mif1avifmiaf"sv,
      "avif");
  expect(
      "\0\0\0\x18"
      "ftypmif1\0\0\0\0mif1heic"sv,
      "heic");
  expect(
      "\0\0\0\x18"
      "ftypmsf1\0\0\0\0msf1hevc"sv,
      "heic");
  expect(
      "\0\0\0\x18"
      "ftypisom\0\0\0\0isomavc1"sv,
      "unknown");
  expect(
      "\0\0\0\x18"
      "ftypcrx \0\0\0\1crx isom"sv,
      "unknown");
  expect("\0\0\0\x0CJXL \r\n\x87\n"sv, "jpeg_xl");
  expect("\xFF\x0A\0\0"sv, "jpeg_xl");
  expect("\0\0\0\x0CjP  \r\n\x87\n"sv, "jpeg_2000");
  expect("\xFF\x4F\xFF\x51\0\0"sv, "jpeg_2000");
  expect(at(128, "DICM"), "dicom");
  expect(at(127, "DICM"), "unknown");
  expect("II*\0"s + at(124, "DICM"), "dicom");
  expect("\x08\0\x05\0CS\x0A\0ISO_IR 100"sv, "dicom");
  expect(
      "\0\x08\0\x05"
      "CS\0\x0AISO_IR 100"sv,
      "dicom");
  expect("\x08\0\x05\0\x0A\0\0\0ISO_IR 100"sv, "dicom");
  expect("\x08\0\0\0\x04\0\0\0\x40\0\0\0\x08\0\x05\0"sv, "dicom");
  // Numbers of 64 and 32 bits that are no elements.
  expect("\x08\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0"sv, "unknown");
  expect("\x08\0\0\0\x05\0\0\0\x05\0\0\0\x02\0\0\0"sv, "unknown");
  for (std::size_t size = 0; size < 12; ++size)
    expect(
        "\0\0\0\x18"
        "ftypheic"sv.substr(0, size),
        "unknown");
}

TEST(Sniff, WhatIsNotReadIsRefusedByItsName) {
  const auto expect = [](std::string_view text, const std::string& name) {
    try {
      decode(bytes_of(text), 3);
      ADD_FAILURE() << name << " went through";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format);
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  };
  expect(at(344, "n+1\0"sv), "a NIfTI volume (convert its slices");
  expect(at(344, "ni1\0"sv), "a NIfTI volume");
  expect(std::string("\x1C\x02\0\0n+2\0", 8) + std::string(500, '\0'), "a NIfTI volume");
  expect("NRRD0004\ntype: float\n", "an NRRD volume");
  expect("SIMPLE  =                    T", "a FITS image");
  expect("\x76\x2F\x31\x01"sv, "an OpenEXR image");
  expect("#?RADIANCE\n", "a Radiance HDR image");
  expect("\xFF\xD8\xFF\xF7\0\x0B"sv, "a JPEG-LS image");
  expect("8BPS\0\1"sv, "a Photoshop drawing");
  expect(
      "\0\0\0\x18"
      "ftypcrx \0\0\0\1crx isom"sv,
      "a camera's raw file");
  expect(
      "\0\0\0\x18"
      "ftypisom\0\0\0\0isomavc1"sv,
      "an MP4 video");
  expect("\x89HDF\r\n\x1A\n"sv, "an HDF5 file");
  expect("<!DOCTYPE html><html>", "an HTML page");
  expect(""sv, "an empty file");
  expect(std::string(512, '\0'), "unknown binary data");
}

}  // namespace
}  // namespace dino::image
