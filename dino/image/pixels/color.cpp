// Color operations of the augmentations with Pillow's rounding.
#include "dino/image/pixels/color.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dino/base/error.h"
#include "dino/image/pixels/simd.h"

namespace dino::image {
namespace {

/** from + factor * (to - from) in single precision, fraction dropped, cut to 0..255: Pillow's. */
std::uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + static_cast<float>(to - from) * factor;
  return value <= 0 ? 0 : value >= 255 ? 255 : static_cast<std::uint8_t>(value);
}

/** Blends every sample with the constant `from`. */
ColorStep blend_with(int from, float factor) {
  ColorStep step;
  for (int sample = 0; sample < 256; ++sample)
    step.table[static_cast<std::size_t>(sample)] = blend(from, sample, factor);
  return step;
}

/** One operation with a pass of its own. */
template <typename Operation>
void run_alone(Image& image, const Operation& operation) {
  ColorChain chain(image);
  operation(chain);
  chain.run();
}

/** Reverses 5 RGB pixels at a time; `out` has room for 16 bytes more. */
void reverse_rgb(const std::uint8_t* row, std::size_t width, std::uint8_t* out) {
  std::size_t left = width;
  for (; left >= 6; left -= 5, out += 15) {
    // The byte before the five pixels is loaded too and is stored after them.
    const simd::Bytes16 pixels = simd::load16(row + 3 * left - 16);
    simd::store16(__builtin_shufflevector(pixels, pixels, 13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6,
                                          1, 2, 3, 0),
                  out);
  }
  for (; left > 0; --left, out += 3) std::memcpy(out, row + 3 * left - 3, 3);
}

}  // namespace

void check_gray_or_rgb(int channels, const char* operation) {
  if (channels != 1 && channels != 3)
    fail(ErrorKind::Usage,
         "[{}] 8-bit images have 1 or 3 channels here, not {}; decode into planes", operation,
         channels);
}

void check_gray_or_rgb(const Image& image, const char* operation) {
  if (!image.empty()) check_gray_or_rgb(image.channels, operation);
}

float checked_factor(double factor, const char* operation) {
  if (!(factor >= 0 && factor <= 1e6))
    fail(ErrorKind::Usage, "[{}] factor must lie in [0, 1e6]: {}", operation, factor);
  return static_cast<float>(factor);
}

void check_turns(double turns) {
  if (!(turns >= -0.5 && turns <= 0.5))
    fail(ErrorKind::Usage, "[hue] shift must lie in [-0.5, 0.5] turns: {}", turns);
}

ColorChain::ColorChain(Image& image, const PixelKernels& kernels)
    : image_(image), kernels_(kernels) {
  check_gray_or_rgb(image, "colors");
}

void ColorChain::add(const ColorStep& step) {
  if (step.kind != ColorStep::Kind::Table && image_.channels != 3) return;
  if (count_ > 0 && step.kind == ColorStep::Kind::Table &&
      steps_[count_ - 1].kind == ColorStep::Kind::Table) {
    for (auto& sample : steps_[count_ - 1].table) sample = step.table[sample];
    return;
  }
  if (count_ == steps_.size()) run();
  steps_[count_++] = step;
}

std::uint64_t ColorChain::run_all(bool wants_luma) {
  const std::size_t count = std::exchange(count_, 0);
  if (count == 0 && !wants_luma) return 0;
  return kernels_.recolor(image_, {steps_.data(), count}, wants_luma);
}

void ColorChain::run() {
  run_all(false);
}

void ColorChain::brightness(double factor) {
  add(blend_with(0, checked_factor(factor, "brightness")));
}

void ColorChain::contrast(double factor) {
  const float share = checked_factor(factor, "contrast");
  if (image_.empty()) return;
  const auto pixels = static_cast<double>(image_.pixels.size()) / image_.channels;
  const double mean = static_cast<double>(run_all(true)) / pixels;
  add(blend_with(static_cast<int>(mean + 0.5), share));
}

void ColorChain::saturation(double factor) {
  ColorStep step;
  step.kind = ColorStep::Kind::Saturation;
  step.factor = checked_factor(factor, "saturation");
  add(step);
}

void ColorChain::hue(double turns) {
  check_turns(turns);
  ColorStep step;
  step.kind = ColorStep::Kind::Hue;
  step.shift = static_cast<int>(turns * 255);
  add(step);
}

void ColorChain::grayscale() {
  ColorStep step;
  step.kind = ColorStep::Kind::Gray;
  add(step);
}

void ColorChain::solarize(int threshold) {
  ColorStep step;
  for (int sample = 0; sample < 256; ++sample)
    step.table[static_cast<std::size_t>(sample)] =
        static_cast<std::uint8_t>(sample >= threshold ? 255 - sample : sample);
  add(step);
}

void adjust_brightness(Image& image, double factor) {
  run_alone(image, [=](ColorChain& chain) { chain.brightness(factor); });
}

void adjust_contrast(Image& image, double factor) {
  run_alone(image, [=](ColorChain& chain) { chain.contrast(factor); });
}

void adjust_saturation(Image& image, double factor) {
  run_alone(image, [=](ColorChain& chain) { chain.saturation(factor); });
}

void adjust_hue(Image& image, double turns) {
  run_alone(image, [=](ColorChain& chain) { chain.hue(turns); });
}

void to_grayscale(Image& image) {
  run_alone(image, [](ColorChain& chain) { chain.grayscale(); });
}

void solarize(Image& image, int threshold) {
  run_alone(image, [=](ColorChain& chain) { chain.solarize(threshold); });
}

void flip_horizontal(Image& image) {
  check_gray_or_rgb(image, "flip");
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

Image gray_copy(const Image& image) {
  check_gray_or_rgb(image, "gray");
  if (image.channels == 1) return image;
  Image gray(image.width, image.height, 1);
  const std::uint8_t* rgb = image.pixels.data();
  for (auto& sample : gray.pixels) {
    sample = luma(rgb[0], rgb[1], rgb[2]);
    rgb += 3;
  }
  return gray;
}

}  // namespace dino::image
