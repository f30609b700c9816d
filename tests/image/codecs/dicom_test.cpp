// DICOM files of many codings and meanings against pydicom
// (tests/golden/image/make_dicom_golden.py), and files that lie.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/image/codecs/decode.h"

namespace dino::image {
namespace {

using namespace std::string_view_literals;
using FileBytes = std::vector<std::byte>;

const std::filesystem::path kFolder = DINO_SOURCE_DIR "/tests/golden/image";

FileBytes bytes_of(const std::string& name) {
  return read_file(kFolder / "dicom" / name);
}

/** Calls check(bytes, entry, options) for every entry of dicom.json. */
template <typename Check>
void for_each_entry(Check check) {
  static const nlohmann::json golden = nlohmann::json::parse(std::ifstream(kFolder / "dicom.json"));
  int count = 0;
  for (const auto& [name, entry] : golden.items()) {
    SCOPED_TRACE(name);
    check(bytes_of(entry.at("file")), entry, DecodeOptions{.page = entry.value("page", 0)});
    ++count;
  }
  EXPECT_GE(count, 60);
}

std::string refusal(const FileBytes& bytes, const DecodeOptions& options = {}) {
  std::string said;
  for (const bool wide : {false, true}) try {
      if (wide)
        decode_wide(bytes, 0, options);
      else
        decode(bytes, 3, options);
      ADD_FAILURE() << "went through";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
      said = error.what();
    }
  return said;
}

/** Where the value of an element of an explicit file lies; its length is in the two bytes before.
 */
std::size_t value_of(const FileBytes& bytes, std::uint32_t group, std::uint32_t element) {
  for (std::size_t at = 132; at + 8 < bytes.size(); ++at)
    if (std::to_integer<std::uint32_t>(bytes[at]) == (group & 255) &&
        std::to_integer<std::uint32_t>(bytes[at + 1]) == group >> 8 &&
        std::to_integer<std::uint32_t>(bytes[at + 2]) == (element & 255) &&
        std::to_integer<std::uint32_t>(bytes[at + 3]) == element >> 8)
      return at + 8;
  ADD_FAILURE() << "no element";
  return 0;
}

FileBytes patched(FileBytes bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    bytes.at(at + i) = static_cast<std::byte>(value >> (8 * i));
  return bytes;
}

TEST(Dicom, BlackAndWhiteAreThoseOfTheFileAndNothingIsClipped) {
  for_each_entry([](const FileBytes& bytes, const auto& entry, const auto& options) {
    const auto expected = entry.at("wide").template get<std::vector<float>>();
    const Planes planes = decode_wide(bytes, 0, options);
    ASSERT_EQ(planes.channels, entry.at("channels"));
    ASSERT_EQ(planes.values.size(), expected.size());
    const auto count = static_cast<std::size_t>(planes.channels);
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(
          planes.plane(static_cast<int>(i % count))[i / count], expected[i],
          entry.at("wide_tolerance").template get<float>() * std::max(1.0F, std::abs(expected[i])))
          << i;
  });
}

TEST(Dicom, EightBitsAreShownAsPydicomShowsThem) {
  for_each_entry([](const FileBytes& bytes, const auto& entry, const auto& options) {
    const auto expected = entry.at("eight").template get<std::vector<float>>();
    const Image image = decode(bytes, 0, options);
    ASSERT_EQ(image.pixels.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(image.pixels[i], expected[i], entry.at("tolerance").template get<float>()) << i;
    EXPECT_EQ(decode(bytes, 3, options).channels, 3);
    EXPECT_EQ(decode(bytes, 1, options).channels, 1);
  });
}

TEST(Dicom, PeekTellsWhatDecodeGives) {
  for_each_entry([](const FileBytes& bytes, const auto& entry, const auto& options) {
    const ImageInfo info = peek(bytes, options);
    EXPECT_EQ(info.kind, ImageKind::Dicom);
    EXPECT_EQ(info.width, entry.at("size")[0]);
    EXPECT_EQ(info.height, entry.at("size")[1]);
    EXPECT_EQ(info.channels, entry.at("channels"));
    EXPECT_EQ(info.bits, entry.at("bits"));
    EXPECT_EQ(info.pages, entry.at("pages"));
  });
}

TEST(Dicom, AGivenRangeIsInTheUnitsOfTheValues) {
  const FileBytes ct = bytes_of("ct.dcm");  // slope 1, intercept -1024, 0 to 4095 stored
  const Planes hounsfield = decode_wide(ct, 1, {.value_range = {{0, 1}}});
  const auto [low, high] = std::minmax_element(hounsfield.values.begin(), hounsfield.values.end());
  EXPECT_EQ(*low, -1024);
  EXPECT_EQ(*high, 4095 - 1024);
  EXPECT_EQ(read_raster(ct).range(), (ValueRange{-160, 239}));
}

TEST(Dicom, TruncatedFilesAreRefused) {
  for_each_entry([](const FileBytes& bytes, const auto& entry, const auto& options) {
    // Later frames may be cut off, and an end mark or padding byte is nobody's loss.
    if (entry.at("pages") != 1) return;
    for (std::size_t size = 0; size + 12 < bytes.size(); size += 1 + size / 64)
      EXPECT_THROW(
          decode(FileBytes(bytes.begin(), bytes.begin() + static_cast<long>(size)), 3, options),
          Error)
          << size << " of " << bytes.size();
  });
}

TEST(Dicom, WhatIsNotReadIsNamed) {
  EXPECT_NE(refusal(bytes_of("video.dcm")).find("MPEG-4 video"), std::string::npos);
  EXPECT_NE(refusal(bytes_of("report.dcm")).find("without an image (modality SR)"),
            std::string::npos);
  EXPECT_NE(refusal(bytes_of("cmyk.dcm")).find("'HSV'"), std::string::npos);
  EXPECT_NE(refusal(bytes_of("frames.dcm"), {.page = 3}).find("has 3"), std::string::npos);
}

TEST(Dicom, FilesThatLie) {
  constexpr std::uint32_t kImage = 0x0028, kRows = 0x0010, kColumns = 0x0011, kAllocated = 0x0100,
                          kStored = 0x0101, kHigh = 0x0102, kSamples = 0x0002;
  const FileBytes good = bytes_of("bits12.dcm"), rgb = bytes_of("rgb.dcm");
  struct Patch {
    std::uint32_t element, value;
  };
  for (const auto& [element, value] : {Patch{kRows, 0},
                                       {kRows, 14},
                                       {kRows, 65535},
                                       {kColumns, 0},
                                       {kColumns, 19},
                                       {kColumns, 65535},
                                       {kAllocated, 0},
                                       {kAllocated, 7},
                                       {kAllocated, 32},
                                       {kAllocated, 64},
                                       {kStored, 0},
                                       {kStored, 17},
                                       {kStored, 65535},
                                       {kHigh, 3},
                                       {kHigh, 16},
                                       {kSamples, 0},
                                       {kSamples, 2},
                                       {kSamples, 3}}) {
    SCOPED_TRACE(fmt::format("element {:#x} is {}", element, value));
    refusal(patched(good, value_of(good, kImage, element), value, 2));
  }
  for (const char* name :
       {"rle12.dcm", "rle_rgb.dcm", "lossless12_1.dcm", "ls12.dcm", "j2k12.dcm", "jpeg8.dcm"}) {
    SCOPED_TRACE(name);
    const FileBytes coded = bytes_of(name);
    for (const std::uint32_t element : {kRows, kColumns})
      for (const std::uint32_t size : {0U, 19U, 65535U})
        refusal(patched(coded, value_of(coded, kImage, element), size, 2));
  }
  refusal(patched(rgb, value_of(rgb, kImage, kSamples), 1, 2));
  refusal(patched(good, value_of(good, 0x0002, 0x0010), '9', 1));
  // Lengths beyond the end, and sequences that never end.
  refusal(patched(good, value_of(good, 0x0028, 0x0004) - 2, 0xFFFF, 2));
  const FileBytes open = bytes_of("icon.dcm");
  for (std::size_t at = 132; at + 4 < open.size(); at += 3) {
    const FileBytes damaged = patched(open, at, 0xFFFFFFFF, 4);
    try {
      decode(damaged, 1);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
    }
  }
}

TEST(Dicom, SequencesInsideEachOtherWithoutEndAreRefused) {
  const FileBytes good = bytes_of("gray8.dcm");
  FileBytes deep(good.begin(),
                 good.begin() + static_cast<long>(value_of(good, 0x0028, 0x0002)) - 8);
  const auto add = [&](std::string_view text) {
    for (const char c : text) deep.push_back(static_cast<std::byte>(c));
  };
  for (int i = 0; i < 100'000; ++i)
    add("\x08\x00\x15\x11SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\xFF\xFF\xFF\xFF"sv);
  EXPECT_NE(refusal(deep).find("deep"), std::string::npos);
}

}  // namespace
}  // namespace dino::image
