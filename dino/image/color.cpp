// Colour operations of the augmentations with Pillow's rounding.
#include "dino/image/color.h"

#include <algorithm>
#include <cmath>

#include "dino/base/error.h"

namespace dino::image {
namespace {

/** from + factor * (to - from), cut to 0..255, fraction dropped. */
std::uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  return static_cast<std::uint8_t>(std::clamp(value, 0.0f, 255.0f));
}

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::clamp(static_cast<int>(value), 0, 255));
}

struct Hsv {
  std::uint8_t hue = 0, saturation = 0, value = 0;
};

Hsv to_hsv(const std::uint8_t* rgb) {
  const int red = rgb[0], green = rgb[1], blue = rgb[2];
  const int most = std::max({red, green, blue});
  const int least = std::min({red, green, blue});
  Hsv hsv{.value = static_cast<std::uint8_t>(most)};
  if (most == least) return hsv;
  const auto range = static_cast<float>(most - least);
  const auto distance = [&](int c) { return static_cast<float>(most - c) / range; };
  float hue;  // in sixths of the circle; the mix of float and double is Pillow's
  if (red == most)
    hue = distance(blue) - distance(green);
  else if (green == most)
    hue = static_cast<float>(2.0 + distance(red) - distance(blue));
  else
    hue = static_cast<float>(4.0 + distance(green) - distance(red));
  hue = static_cast<float>(std::fmod(hue / 6.0 + 1.0, 1.0));
  hsv.hue = to_byte(hue * 255.0);
  hsv.saturation = to_byte(range / static_cast<float>(most) * 255.0);
  return hsv;
}

void to_rgb(const Hsv& hsv, std::uint8_t* rgb) {
  if (hsv.saturation == 0) {
    rgb[0] = rgb[1] = rgb[2] = hsv.value;
    return;
  }
  const double position = hsv.hue * 6.0 / 255.0;
  const int sector = static_cast<int>(position);
  const auto fraction = static_cast<float>(position - static_cast<float>(sector));
  const auto saturation = static_cast<float>(hsv.saturation / 255.0);
  const auto rounded = [](double x) { return to_byte(std::round(x)); };
  const std::uint8_t v = hsv.value;
  const std::uint8_t p = rounded(v * (1.0 - saturation));
  const std::uint8_t q = rounded(v * (1.0 - saturation * fraction));
  const std::uint8_t t = rounded(v * (1.0 - saturation * (1.0 - fraction)));
  const std::uint8_t table[6][3] = {{v, t, p}, {q, v, p}, {p, v, t},
                                    {p, q, v}, {t, p, v}, {v, p, q}};
  std::copy_n(table[sector % 6], 3, rgb);
}

}  // namespace

void adjust_brightness(Image& image, double factor) {
  for (auto& sample : image.pixels) sample = blend(0, sample, static_cast<float>(factor));
}

void adjust_contrast(Image& image, double factor) {
  if (image.empty()) return;
  const Image grey = grey_copy(image);
  std::uint64_t sum = 0;
  for (const auto sample : grey.pixels) sum += sample;
  const auto mean =
      static_cast<int>(static_cast<double>(sum) / static_cast<double>(grey.pixels.size()) + 0.5);
  for (auto& sample : image.pixels) sample = blend(mean, sample, static_cast<float>(factor));
}

void adjust_saturation(Image& image, double factor) {
  if (image.channels != 3) return;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    std::uint8_t* rgb = &image.pixels[i];
    const int grey = luma(rgb[0], rgb[1], rgb[2]);
    for (int c = 0; c < 3; ++c) rgb[c] = blend(grey, rgb[c], static_cast<float>(factor));
  }
}

void adjust_hue(Image& image, double turns) {
  if (!(turns >= -0.5 && turns <= 0.5))
    fail(ErrorKind::Usage, "[hue] shift must lie in [-0.5, 0.5] turns: {}", turns);
  if (image.channels != 3) return;
  const int shift = static_cast<int>(turns * 255);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    Hsv hsv = to_hsv(&image.pixels[i]);
    hsv.hue = static_cast<std::uint8_t>(hsv.hue + shift);
    to_rgb(hsv, &image.pixels[i]);
  }
}

void to_grayscale(Image& image) {
  if (image.channels != 3) return;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    std::uint8_t* rgb = &image.pixels[i];
    rgb[0] = rgb[1] = rgb[2] = luma(rgb[0], rgb[1], rgb[2]);
  }
}

void solarize(Image& image, int threshold) {
  for (auto& sample : image.pixels)
    if (sample >= threshold) sample = static_cast<std::uint8_t>(255 - sample);
}

void flip_horizontal(Image& image) {
  const int channels = image.channels;
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* left = image.row(y);
    std::uint8_t* right = left + image.row_bytes() - channels;
    for (; left < right; left += channels, right -= channels)
      std::swap_ranges(left, left + channels, right);
  }
}

Image grey_copy(const Image& image) {
  if (image.channels == 1) return image;
  Image grey(image.width, image.height, 1);
  const std::uint8_t* rgb = image.pixels.data();
  for (auto& sample : grey.pixels) {
    sample = luma(rgb[0], rgb[1], rgb[2]);
    rgb += 3;
  }
  return grey;
}

}  // namespace dino::image
