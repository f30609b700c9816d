#include "dino/image/pixels/resize.h"

#include "dino/base/error.h"
#include "tests/image/pixel_golden.h"

namespace dino::image {
namespace {

Filter filter_named(const std::string& name) {
  if (name == "nearest") return Filter::Nearest;
  if (name == "bilinear") return Filter::Bilinear;
  return name == "lanczos" ? Filter::Lanczos : Filter::Bicubic;
}

TEST(Resize, EqualsPillow) {
  check_golden("resize", 160, [](const Image& image, const nlohmann::json& c) {
    const auto& b = c.at("box");
    const Box box{b[0], b[1], b[2], b[3]};
    return resize_crop(image, box, c.at("out")[0], c.at("out")[1], filter_named(c.at("filter")));
  });
}

TEST(Resize, WholeImageIsTheCropOfEverything) {
  const Image image = synthetic(31, 17, 3, 9);
  EXPECT_EQ(resize(image, 12, 12), resize_crop(image, {0, 0, 31, 17}, 12, 12));
  EXPECT_EQ(resize(image, 31, 17), image);
}

TEST(Resize, KeepsAFlatImageFlat) {
  Image image(50, 40, 3);
  std::fill(image.pixels.begin(), image.pixels.end(), std::uint8_t{201});
  for (const int size : {1, 7, 39, 200}) {
    const Image scaled = resize(image, size, size);
    for (const auto sample : scaled.pixels) ASSERT_EQ(sample, 201);
  }
}

TEST(Resize, RefusesEmptyImagesTargetsAndBoxesOutside) {
  const Image image = synthetic(10, 8, 1, 1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(resize(Image{}, 4, 4), Error);
  EXPECT_THROW(resize(image, 0, 4), Error);
  EXPECT_THROW(resize(image, 4, -1), Error);
  for (const Box box : {Box{-1, 0, 5, 5}, Box{0, 0, 10.5f, 8}, Box{0, 0, 10, 8.01f},
                        Box{5, 0, 5, 8}, Box{0, 6, 10, 2}, Box{nan, 0, 10, 8}, Box{0, 0, 10, nan}})
    EXPECT_THROW(resize_crop(image, box, 4, 4), Error);
}

}  // namespace
}  // namespace dino::image
