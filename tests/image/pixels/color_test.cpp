#include "dino/image/pixels/color.h"

#include "dino/base/error.h"
#include "tests/image/pixel_golden.h"

namespace dino::image {
namespace {

using Operation = void (*)(Image&, double);

void check_color(const std::string& kind, std::size_t at_least, Operation operation) {
  check_golden(kind, at_least, [=](Image image, const nlohmann::json& c) {
    operation(image, c.value("value", 0.0));
    return image;
  });
}

TEST(Color, BrightnessEqualsPillow) {
  check_color("brightness", 16, adjust_brightness);
}
TEST(Color, ContrastEqualsPillow) {
  check_color("contrast", 16, adjust_contrast);
}
TEST(Color, SaturationEqualsPillow) {
  check_color("saturation", 16, adjust_saturation);
}
TEST(Color, HueEqualsTorchvision) {
  check_color("hue", 16, adjust_hue);
}

TEST(Color, GrayscaleEqualsTorchvision) {
  check_color("grayscale", 2, [](Image& image, double) { to_grayscale(image); });
}
TEST(Color, SolarizeEqualsPillow) {
  check_color("solarize", 8,
              [](Image& image, double value) { solarize(image, static_cast<int>(value)); });
}
TEST(Color, FlipEqualsPillow) {
  check_color("flip", 10, [](Image& image, double) { flip_horizontal(image); });
}

TEST(ColorSlow, HueOfEveryColorEqualsTorchvision) {
  Image colors(4096, 4096, 3);
  for (std::size_t code = 0; code < 1u << 24; ++code)
    for (std::size_t c = 0; c < 3; ++c)
      colors.pixels[3 * code + c] = static_cast<std::uint8_t>(code >> (16 - 8 * c));
  for (const auto& [turns, expected] : pixel_golden().at("hue_of_every_color").items()) {
    Image turned = colors;
    adjust_hue(turned, std::stod(turns));
    EXPECT_EQ(fingerprint(turned), expected.get<std::string>()) << turns;
  }
}

TEST(Color, GrayCopyIsTheGrayscaleImageInOneChannel) {
  Image image = synthetic(21, 13, 3, 6);
  const Image gray = gray_copy(image);
  to_grayscale(image);
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    ASSERT_EQ(image.pixels[i], gray.pixels[i / 3]);
  EXPECT_EQ(gray_copy(gray), gray);
}

TEST(Color, FlippingTwiceRestores) {
  const Image image = synthetic(8, 3, 3, 7);
  Image flipped = image;
  flip_horizontal(flipped);
  EXPECT_NE(flipped, image);
  flip_horizontal(flipped);
  EXPECT_EQ(flipped, image);
}

TEST(Color, AcceptsEmptyImagesAndRefusesHueOutOfRange) {
  Image empty;
  adjust_contrast(empty, 0.5);
  adjust_hue(empty, 0.1);
  flip_horizontal(empty);
  Image image = synthetic(2, 2, 3, 1);
  EXPECT_THROW(adjust_hue(image, 0.51), Error);
  EXPECT_THROW(adjust_hue(image, std::numeric_limits<double>::quiet_NaN()), Error);
}

}  // namespace
}  // namespace dino::image
