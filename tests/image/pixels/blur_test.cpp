#include "dino/image/pixels/blur.h"

#include "dino/base/error.h"
#include "tests/image/pixel_golden.h"

namespace dino::image {
namespace {

TEST(Blur, EqualsPillow) {
  check_golden("blur", 28, [](Image image, const nlohmann::json& c) {
    gaussian_blur(image, c.at("value"));
    return image;
  });
}

TEST(Blur, TreatsRowsAndColumnsAlike) {
  const Image image = synthetic(40, 40, 1, 3);
  const auto turned = [](const Image& in) {
    Image out(in.height, in.width, 1);
    for (int y = 0; y < in.height; ++y)
      for (int x = 0; x < in.width; ++x) out.row(x)[y] = in.row(y)[x];
    return out;
  };
  Image a = image, b = turned(image);
  gaussian_blur(a, 1.4);
  gaussian_blur(b, 1.4);
  const Image c = turned(b);
  for (std::size_t i = 0; i < a.pixels.size(); ++i) ASSERT_NEAR(a.pixels[i], c.pixels[i], 2);
}

TEST(Blur, RefusesRadiiThatAreNone) {
  Image image = synthetic(4, 4, 1, 1);
  EXPECT_THROW(gaussian_blur(image, -0.1), Error);
  EXPECT_THROW(gaussian_blur(image, std::numeric_limits<double>::quiet_NaN()), Error);
  EXPECT_THROW(gaussian_blur(image, std::numeric_limits<double>::infinity()), Error);
}

}  // namespace
}  // namespace dino::image
