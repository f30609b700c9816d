// Color operations for any processor, eight pixels at a time.
#include <cstring>

#include "dino/image/pixels/color.h"
#include "dino/image/pixels/kernels.h"
#include "dino/image/pixels/rgb_block.h"

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

/** Eight pixels, values 0..255. The mix of single and double precision is Pillow's and shows in the
 * bytes. What differs from it (products with 1/6 and 6/255 for quotients, p in single precision)
 * gives the same bytes for every color: tested. */
struct HsvBlock {
  Ints8 hue;
  Ints8 saturation;
  Ints8 value;
};

HsvBlock to_hsv(const RgbBlock& rgb) {
  const Ints8 most = simd::max(simd::max(rgb.red, rgb.green), rgb.blue);
  const Ints8 least = simd::min(simd::min(rgb.red, rgb.green), rgb.blue);
  const Floats8 range = to_floats(simd::max(most - least, Ints8{} + 1));  // gray: 0 / 1, not 0 / 0
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

void run_step(Image& image, const ColorStep& step) {
  switch (step.kind) {
    case ColorStep::Kind::Table:
      for (auto& sample : image.pixels) sample = step.table[sample];
      return;
    case ColorStep::Kind::Saturation:
      return for_each_block(image, [&](RgbBlock& block) {
        const Ints8 gray = luma_of(block);
        block = {blend(gray, block.red, step.factor), blend(gray, block.green, step.factor),
                 blend(gray, block.blue, step.factor)};
      });
    case ColorStep::Kind::Hue:
      return for_each_block(image, [&](RgbBlock& block) {
        HsvBlock hsv = to_hsv(block);
        hsv.hue = (hsv.hue + step.shift) & 255;
        to_rgb(hsv, block);
      });
    case ColorStep::Kind::Gray:
      return for_each_block(image, [](RgbBlock& block) {
        const Ints8 gray = luma_of(block);
        block = {gray, gray, gray};
      });
  }
}

std::uint64_t sum_of_lumas(const Image& image) {
  std::uint64_t sum = 0;
  if (image.channels == 1) {
    for (const auto sample : image.pixels) sum += sample;
    return sum;
  }
  const std::uint8_t* samples = image.pixels.data();
  std::size_t left = image.pixels.size();
  Ints8 sums = {};  // of up to 2^23 lumas a lane: enough for 2^26 px
  std::size_t blocks_left = std::size_t{1} << 21;
  for (; left >= 48; left -= 48, samples += 48) {
    RgbBlock blocks[2];
    simd::load_blocks(samples, blocks);
    sums += luma_of(blocks[0]) + luma_of(blocks[1]);
    if (--blocks_left > 0 && left >= 96) continue;
    for (int lane = 0; lane < 8; ++lane) sum += static_cast<std::uint64_t>(sums[lane]);
    sums = Ints8{};
    blocks_left = std::size_t{1} << 21;
  }
  for (; left > 0; left -= 3, samples += 3) sum += luma(samples[0], samples[1], samples[2]);
  return sum;
}

}  // namespace

std::uint64_t portable::recolor(Image& image, std::span<const ColorStep> steps, bool wants_luma) {
  for (const ColorStep& step : steps) run_step(image, step);
  return wants_luma ? sum_of_lumas(image) : 0;
}

}  // namespace dino::image
