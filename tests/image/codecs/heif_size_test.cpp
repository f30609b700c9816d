// The size of the coded picture, found without its codec.
#include "dino/image/codecs/heif_size.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "dino/base/file.h"
#include "dino/image/codecs/decode.h"

namespace dino::image {
namespace {

const std::filesystem::path kImages = DINO_SOURCE_DIR "/tests/golden/image";

TEST(HeifSize, IsThatOfThePictureAndItsPadding) {
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator(kImages / "modern")) {
    const std::string extension = file.path().extension().string();
    if (extension != ".heic" && extension != ".avif") continue;
    SCOPED_TRACE(file.path().filename().string());
    const auto bytes = read_file(file.path());
    const ImageInfo info = peek(bytes);
    const CodedSize coded = largest_coded_size(bytes);
    const auto [shorter, longer] = std::minmax({info.width, info.height});
    EXPECT_GE(std::min(coded.width, coded.height), shorter);
    EXPECT_LE(std::min(coded.width, coded.height), shorter + 64);
    EXPECT_GE(std::max(coded.width, coded.height), longer);
    EXPECT_LE(std::max(coded.width, coded.height), longer + 64);
    ++count;
  }
  EXPECT_GE(count, 12);
}

TEST(HeifSize, IsFoundBehindAContainerThatTellsAnother) {
  for (const char* name : {"hidden.heic", "hidden.avif"}) {
    const auto bytes = read_file(kImages / "bombs" / name);
    EXPECT_EQ(peek(bytes).width, 64) << name;
    EXPECT_EQ(largest_coded_size(bytes).width, 8192) << name;
    EXPECT_EQ(largest_coded_size(bytes).height, 8192) << name;
  }
}

TEST(HeifSize, DamagedFilesEnd) {
  for (const char* name : {"modern/alpha.avif", "modern/alpha.heic"}) {
    const auto good = read_file(kImages / name);
    for (std::size_t at = 0; at < good.size(); ++at) {
      auto bytes = good;
      for (std::size_t i = at; i < std::min(at + 4, bytes.size()); ++i) bytes[i] = std::byte{0xFF};
      largest_coded_size(bytes);
      bytes.resize(at);
      largest_coded_size(bytes);
    }
  }
}

}  // namespace
}  // namespace dino::image
