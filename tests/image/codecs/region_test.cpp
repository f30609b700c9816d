// Regions equal the same box cut from the whole image; shrunk JPEGs stay near the averaged image.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/rng.h"
#include "dino/image/codecs/decode.h"
#include "dino/image/pixels/reduce.h"

namespace dino::image {
namespace {

namespace fs = std::filesystem;
const fs::path kFolder = DINO_SOURCE_DIR "/tests/golden/image";

Image cut(const Image& image, const PixelBox& box) {
  Image out(box.width, box.height, image.channels);
  for (int y = 0; y < box.height; ++y)
    std::copy_n(image.row(box.top + y) + box.left * image.channels, out.row_bytes(), out.row(y));
  return out;
}

/** Boxes at borders, corners and anywhere. */
std::vector<PixelBox> boxes_in(int width, int height) {
  std::vector<PixelBox> boxes = {{0, 0, width, height},
                                 {0, 0, 1, 1},
                                 {width - 1, height - 1, 1, 1},
                                 {width / 2, 0, width - width / 2, height},
                                 {0, height / 3, width, height / 3}};
  Rng rng(11);
  const auto below = [&](int limit) { return static_cast<int>(rng.uniform() * limit); };
  for (int i = 0; i < 120; ++i) {
    const int left = below(width), top = below(height);
    boxes.push_back({left, top, 1 + below(width - left), 1 + below(height - top)});
  }
  return boxes;
}

void check_regions(const fs::path& path, const DecodeOptions& options = {}) {
  SCOPED_TRACE(path.string());
  const std::vector<std::byte> bytes = read_file(path);
  for (const int channels : {1, 3}) {
    const Image whole = decode(bytes, channels, options);
    for (const PixelBox& box : boxes_in(whole.width, whole.height))
      ASSERT_EQ(decode_region(bytes, box, channels, options), cut(whole, box))
          << box.left << ' ' << box.top << ' ' << box.width << ' ' << box.height;
  }
}

TEST(Region, OfEveryKindOfJpeg) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(kFolder / "regions")) {
    check_regions(entry.path());
    ++files;
  }
  EXPECT_GE(files, 12);
  check_regions(kFolder / "regions" / "turned.jpg", {.upright = false});
}

TEST(Region, OfTiffInTilesAndStrips) {
  for (const char* name : {"tiled.tif", "rgb_lzw.tif", "rgb_jpeg.tif", "float32_tiled.tif",
                           "bits1_fax.tif", "palette.tif", "turned.tif", "gray16.tif"})
    check_regions(kFolder / "formats" / name);
}

TEST(Region, OfOtherFormats) {
  for (const char* name : {"alpha.png", "lossless.webp", "palette.gif", "rgb24.bmp", "raw.ppm"})
    check_regions(kFolder / "formats" / name);
}

TEST(Region, NeedsNotFitTheWholeImageIntoTheLimit) {
  const auto bytes = read_file(kFolder / "regions" / "rgb420.jpg");
  EXPECT_THROW(decode(bytes, 3, {.max_pixels = 5000}), Error);
  EXPECT_EQ(decode_region(bytes, {90, 60, 50, 40}, 3, {.max_pixels = 5000}).width, 50);
  EXPECT_THROW(decode_region(bytes, {0, 0, 101, 50}, 3, {.max_pixels = 5000}), Error);
}

TEST(Region, RefusesBoxesOutside) {
  const auto bytes = read_file(kFolder / "regions" / "rgb420.jpg");
  for (const PixelBox& box : {PixelBox{-1, 0, 5, 5},
                              {0, -1, 5, 5},
                              {200, 0, 5, 5},
                              {0, 148, 5, 2},
                              {0, 0, 0, 5},
                              {0, 0, 5, -1}})
    EXPECT_THROW(decode_region(bytes, box, 3), Error);
}

TEST(Shrink, StaysNearTheAverageOfBlocks) {
  for (const char* name : {"rgb444.jpg", "rgb420.jpg", "rgb422_progressive.jpg", "gray.jpg"})
    for (const int shrink : {2, 4, 8}) {
      SCOPED_TRACE(fmt::format("{} / {}", name, shrink));
      const auto bytes = read_file(kFolder / "regions" / name);
      const DecodeOptions options{.jpeg_shrink = shrink};
      const Image small = decode(bytes, 3, options);
      const Image mean = reduce(decode(bytes, 3), shrink, shrink);
      EXPECT_EQ(peek(bytes, options).width, small.width);
      ASSERT_EQ(small.width, mean.width);
      ASSERT_EQ(small.height, mean.height);
      double sum = 0;
      for (std::size_t i = 0; i < small.pixels.size(); ++i)
        sum += std::abs(small.pixels[i] - mean.pixels[i]);
      EXPECT_LT(sum / static_cast<double>(small.pixels.size()),
                3.5);  // small and steep; photographs: see docs/formats.md
    }
}

TEST(Shrink, LeavesTheSideThatIsAskedFor) {
  const auto bytes = read_file(kFolder / "regions" / "rgb444.jpg");
  const Image whole = decode(bytes, 3);
  const double side = std::sqrt(static_cast<double>(whole.width) * whole.height);
  for (const int shrink : {1, 2, 4, 8}) {
    const int least = static_cast<int>(side / shrink);
    EXPECT_EQ(decode(bytes, 3, {.jpeg_min_side = least}), decode(bytes, 3, {.jpeg_shrink = shrink}))
        << least;
    EXPECT_EQ(peek(bytes, {.jpeg_min_side = least}).width,
              peek(bytes, {.jpeg_shrink = shrink}).width);
  }
  EXPECT_EQ(decode(bytes, 3, {.jpeg_min_side = 100'000}), whole);
  const int shorter = std::min(whole.width, whole.height);
  EXPECT_EQ(decode(bytes, 3, {.jpeg_min_side = 1, .jpeg_min_short_side = shorter / 2}),
            decode(bytes, 3, {.jpeg_shrink = 2}));
  const Image small = decode(bytes, 3, {.jpeg_min_side = 1});
  const Image part = decode_region(bytes, {1, 2, 3, 4}, 3, {.jpeg_min_side = 1});
  EXPECT_EQ(part.row(0)[0], small.row(2)[3]);
}

}  // namespace
}  // namespace dino::image
