// Colour operations of the augmentations with Pillow's rounding, eight pixels at a time.
#include "dino/image/color.h"

#include <algorithm>
#include <cstring>

#include "dino/base/error.h"
#include "dino/image/rgb_block.h"

namespace dino::image {
namespace {

using simd::Doubles8;
using simd::Floats8;
using simd::Ints8;

Floats8 to_floats(Ints8 values) {
  return __builtin_convertvector(values, Floats8);
}

Ints8 luma_of(const RgbBlock& block) {
  return (block.red * 19595 + block.green * 38470 + block.blue * 7471 + 0x8000) >> 16;
}

/** from + factor * (to - from) in single precision, fraction dropped; cutting to 0..255 is left to
 * the store. */
Ints8 blend(Ints8 from, Ints8 to, float factor) {
  return __builtin_convertvector(to_floats(from) + to_floats(to - from) * factor, Ints8);
}

/** The factor in Pillow's precision. Beyond 1e6 every blend is black and white anyway, and integers
 * would overflow. */
float checked_factor(double factor, const char* operation) {
  if (!(factor >= 0 && factor <= 1e6))
    fail(ErrorKind::Usage, "[{}] factor must lie in [0, 1e6]: {}", operation, factor);
  return static_cast<float>(factor);
}

/** Blends every sample with the constant `from`. */
void blend_with(Image& image, int from, float factor) {
  std::uint8_t* samples = image.pixels.data();
  std::size_t left = image.pixels.size();
  const auto blend_at = [&](std::uint8_t* at) {
    simd::store_bytes(blend(Ints8{} + from, simd::load_ints(at), factor), at);
  };
  for (; left >= 8; left -= 8, samples += 8) blend_at(samples);
  std::uint8_t rest[8] = {};
  if (left == 0) return;
  std::memcpy(rest, samples, left);
  blend_at(rest);
  std::memcpy(samples, rest, left);
}

double mean_luma(const Image& image) {
  const Image grey = grey_copy(image);
  std::uint64_t sum = 0;
  for (const auto sample : grey.pixels) sum += sample;
  return static_cast<double>(sum) / static_cast<double>(grey.pixels.size());
}

/** Eight pixels, values 0..255. The mix of single and double precision is Pillow's and shows in the
 * bytes. What differs from it (products with 1/6 and 6/255 for quotients, p in single precision)
 * gives the same bytes for every colour: tested. */
struct HsvBlock {
  Ints8 hue;
  Ints8 saturation;
  Ints8 value;
};

HsvBlock to_hsv(const RgbBlock& rgb) {
  const Ints8 most = simd::max(simd::max(rgb.red, rgb.green), rgb.blue);
  const Ints8 least = simd::min(simd::min(rgb.red, rgb.green), rgb.blue);
  const Floats8 range = to_floats(simd::max(most - least, Ints8{} + 1));  // grey: 0 / 1, not 0 / 0
  const Floats8 red = to_floats(most - rgb.red) / range;
  const Floats8 green = to_floats(most - rgb.green) / range;
  const Floats8 blue = to_floats(most - rgb.blue) / range;
  const Ints8 is_red = rgb.red == most;
  const Ints8 is_green = rgb.green == most;
  const Floats8 zero = {};
  const Floats8 start = is_red ? zero : is_green ? zero + 2.0f : zero + 4.0f;  // in sixths
  const Floats8 plus = is_red ? blue : is_green ? red : green;
  const Floats8 minus = is_red ? green : is_green ? blue : red;
  const Doubles8 sixths = __builtin_convertvector(start, Doubles8) +
                          __builtin_convertvector(plus, Doubles8) -
                          __builtin_convertvector(minus, Doubles8);
  const Doubles8 single_sixths =
      __builtin_convertvector(__builtin_convertvector(sixths, Floats8), Doubles8);
  const Doubles8 turns = single_sixths * (1.0 / 6.0) + 1.0;  // in [5/6, 11/6]
  const Ints8 whole_turns = __builtin_convertvector(turns, Ints8);
  const Floats8 hue =
      __builtin_convertvector(turns - __builtin_convertvector(whole_turns, Doubles8), Floats8);
  const Floats8 saturation = to_floats(most - least) / to_floats(simd::max(most, Ints8{} + 1));
  return {__builtin_convertvector(__builtin_convertvector(hue, Doubles8) * 255.0, Ints8),
          __builtin_convertvector(__builtin_convertvector(saturation, Doubles8) * 255.0, Ints8),
          most};
}

void to_rgb(const HsvBlock& hsv, RgbBlock& rgb) {
  const Doubles8 position = __builtin_convertvector(hsv.hue, Doubles8) * (6.0 / 255.0);
  const Ints8 sector = __builtin_convertvector(position, Ints8);
  const Floats8 fraction =
      __builtin_convertvector(position - __builtin_convertvector(sector, Doubles8), Floats8);
  const Floats8 saturation = to_floats(hsv.saturation) / 255.0f;  // the same for all 256 values
  const Doubles8 value = __builtin_convertvector(hsv.value, Doubles8);
  const Doubles8 full = __builtin_convertvector(saturation, Doubles8);
  const Doubles8 falling = __builtin_convertvector(saturation * fraction, Doubles8);
  const Doubles8 rising = full * (1.0 - __builtin_convertvector(fraction, Doubles8));
  const Ints8 p = __builtin_convertvector(to_floats(hsv.value) * (1.0f - saturation) + 0.5f, Ints8);
  const Ints8 q = __builtin_convertvector(value * (1.0 - falling) + 0.5, Ints8);
  const Ints8 t = __builtin_convertvector(value * (1.0 - rising) + 0.5, Ints8);
  const Ints8 v = hsv.value;
  const Ints8 in0 = (sector == 0) | (sector == 6);  // hue 255 is a full turn
  const Ints8 in1 = sector == 1, in2 = sector == 2, in3 = sector == 3, in4 = sector == 4,
              in5 = sector == 5;
  rgb.red = (in0 | in5) ? v : in1 ? q : in4 ? t : p;
  rgb.green = (in1 | in2) ? v : in0 ? t : in3 ? q : p;
  rgb.blue = (in3 | in4) ? v : in2 ? t : in5 ? q : p;
}

/** Reverses 5 RGB pixels at a time; `out` has room for 16 bytes more. */
void reverse_rgb(const std::uint8_t* row, std::size_t width, std::uint8_t* out) {
  std::size_t left = width;
  for (; left >= 6; left -= 5, out += 15) {
    // The byte before the five pixels comes along and lands behind them.
    const simd::Bytes16 pixels = simd::load16(row + 3 * left - 16);
    simd::store16(__builtin_shufflevector(pixels, pixels, 13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6,
                                          1, 2, 3, 0),
                  out);
  }
  for (; left > 0; --left, out += 3) std::memcpy(out, row + 3 * left - 3, 3);
}

}  // namespace

void check_grey_or_rgb(const Image& image, const char* operation) {
  if (!image.empty() && image.channels != 1 && image.channels != 3)
    fail(ErrorKind::Usage,
         "[{}] 8-bit images have 1 or 3 channels here, not {}; decode into planes", operation,
         image.channels);
}

void adjust_brightness(Image& image, double factor) {
  blend_with(image, 0, checked_factor(factor, "brightness"));
}

void adjust_contrast(Image& image, double factor) {
  const float share = checked_factor(factor, "contrast");
  check_grey_or_rgb(image, "contrast");
  if (!image.empty()) blend_with(image, static_cast<int>(mean_luma(image) + 0.5), share);
}

void adjust_saturation(Image& image, double factor) {
  const float share = checked_factor(factor, "saturation");
  if (image.channels != 3) return;
  for_each_block(image, [=](RgbBlock& block) {
    const Ints8 grey = luma_of(block);
    block = {blend(grey, block.red, share), blend(grey, block.green, share),
             blend(grey, block.blue, share)};
  });
}

void adjust_hue(Image& image, double turns) {
  if (!(turns >= -0.5 && turns <= 0.5))
    fail(ErrorKind::Usage, "[hue] shift must lie in [-0.5, 0.5] turns: {}", turns);
  if (image.channels != 3) return;
  const int shift = static_cast<int>(turns * 255);
  for_each_block(image, [=](RgbBlock& block) {
    HsvBlock hsv = to_hsv(block);
    hsv.hue = (hsv.hue + shift) & 255;
    to_rgb(hsv, block);
  });
}

void to_grayscale(Image& image) {
  if (image.channels != 3) return;
  for_each_block(image, [](RgbBlock& block) {
    const Ints8 grey = luma_of(block);
    block = {grey, grey, grey};
  });
}

void solarize(Image& image, int threshold) {
  if (threshold > 255) return;
  const auto limit = static_cast<std::uint8_t>(std::max(threshold, 0));
  for (auto& sample : image.pixels)
    sample = sample >= limit ? static_cast<std::uint8_t>(~sample) : sample;
}

void flip_horizontal(Image& image) {
  check_grey_or_rgb(image, "flip");
  if (image.channels == 1) {
    for (int y = 0; y < image.height; ++y) std::reverse(image.row(y), image.row(y) + image.width);
    return;
  }
  std::vector<std::uint8_t> flipped(image.row_bytes() + 16);
  for (int y = 0; y < image.height; ++y) {
    reverse_rgb(image.row(y), static_cast<std::size_t>(image.width), flipped.data());
    std::memcpy(image.row(y), flipped.data(), image.row_bytes());
  }
}

Image grey_copy(const Image& image) {
  check_grey_or_rgb(image, "grey");
  if (image.channels == 1) return image;
  Image grey(image.width, image.height, 1);
  const std::uint8_t* rgb = image.pixels.data();
  std::size_t at = 0;
  for (; at + 16 <= grey.pixels.size(); at += 16) {
    RgbBlock blocks[2];
    simd::load_blocks(rgb + 3 * at, blocks);
    simd::store16(simd::narrow(luma_of(blocks[0]), luma_of(blocks[1])), grey.pixels.data() + at);
  }
  for (; at < grey.pixels.size(); ++at)
    grey.pixels[at] = luma(rgb[3 * at], rgb[3 * at + 1], rgb[3 * at + 2]);
  return grey;
}

}  // namespace dino::image
