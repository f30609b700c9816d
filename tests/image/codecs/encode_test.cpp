#include "dino/image/codecs/encode.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>

#include "dino/base/error.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/pixels/resize.h"
#include "tests/image/synthetic.h"

namespace dino::image {
namespace {

TEST(Encode, PngKeepsEveryPixel) {
  for (const int channels : {1, 3})
    for (const auto& [width, height] : {std::pair{1, 1}, {1, 33}, {50, 1}, {61, 40}}) {
      const Image image = synthetic(width, height, channels, 3);
      EXPECT_EQ(decode(encode_png(image), channels), image);
      EXPECT_EQ(peek(encode_png(image)).channels, channels);
    }
}

TEST(Encode, JpegStaysNear) {
  for (const int channels : {1, 3}) {
    const Image image = resize(synthetic(6, 5, channels, 3), 60, 50);
    const Image again = decode(encode_jpeg(image, 95), channels);
    ASSERT_EQ(again.pixels.size(), image.pixels.size());
    double error = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      error += std::abs(image.pixels[i] - again.pixels[i]);
    EXPECT_LT(error / static_cast<double>(image.pixels.size()), 4.0);
    EXPECT_LT(encode_jpeg(image, 20).size(), encode_jpeg(image, 95).size());
  }
}

TEST(Encode, WritesAFile) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("dino_encode_test_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const Image image = synthetic(9, 8, 3, 1);
  write_png(folder / "image.png", image);
  EXPECT_EQ(decode_file(folder / "image.png", 3), image);
  EXPECT_THROW(write_png(folder / "missing" / "image.png", image), Error);
  std::filesystem::remove_all(folder);
}

TEST(Encode, RefusesWhatIsNoImage) {
  EXPECT_THROW(encode_png(Image{}), Error);
  EXPECT_THROW(encode_jpeg(Image{}), Error);
  EXPECT_THROW(encode_png(Image(2, 2, 4)), Error);
  Image short_of_pixels(4, 4, 3);
  short_of_pixels.pixels.pop_back();
  EXPECT_THROW(encode_png(short_of_pixels), Error);
  EXPECT_THROW(encode_jpeg(synthetic(4, 4, 3, 1), 0), Error);
  EXPECT_THROW(encode_jpeg(synthetic(4, 4, 3, 1), 101), Error);
  EXPECT_THROW(encode_jpeg(Image(70'000, 1, 1)), Error);
}

}  // namespace
}  // namespace dino::image
