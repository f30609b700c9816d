// Colour operations of the augmentations with Pillow's rounding.
#include "dino/image/color.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dino/base/error.h"
#include "dino/image/simd.h"

namespace dino::image {
namespace {

/** The factor in Pillow's precision. Beyond 1e6 every blend is black and white anyway, and integers
 * would overflow. */
float checked_factor(double factor, const char* operation) {
  if (!(factor >= 0 && factor <= 1e6))
    fail(ErrorKind::Usage, "[{}] factor must lie in [0, 1e6]: {}", operation, factor);
  return static_cast<float>(factor);
}

/** from + factor * (to - from) in single precision, fraction dropped, cut to 0..255: Pillow's. */
std::uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + static_cast<float>(to - from) * factor;
  return value <= 0 ? 0 : value >= 255 ? 255 : static_cast<std::uint8_t>(value);
}

/** Blends every sample with the constant `from`. */
ColourStep blend_with(int from, float factor) {
  ColourStep step;
  for (int sample = 0; sample < 256; ++sample)
    step.table[static_cast<std::size_t>(sample)] = blend(from, sample, factor);
  return step;
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

void check_grey_or_rgb(int channels, const char* operation) {
  if (channels != 1 && channels != 3)
    fail(ErrorKind::Usage,
         "[{}] 8-bit images have 1 or 3 channels here, not {}; decode into planes", operation,
         channels);
}

void check_grey_or_rgb(const Image& image, const char* operation) {
  if (!image.empty()) check_grey_or_rgb(image.channels, operation);
}

ColourChain::ColourChain(Image& image, const Kernels& kernels) : image_(image), kernels_(kernels) {
  check_grey_or_rgb(image, "colours");
}

void ColourChain::add(const ColourStep& step) {
  if (step.kind != ColourStep::Kind::Table && image_.channels != 3) return;
  if (count_ > 0 && step.kind == ColourStep::Kind::Table &&
      steps_[count_ - 1].kind == ColourStep::Kind::Table) {
    for (auto& sample : steps_[count_ - 1].table) sample = step.table[sample];
    return;
  }
  if (count_ == steps_.size()) run();
  steps_[count_++] = step;
}

std::uint64_t ColourChain::run_all(bool wants_luma) {
  const std::size_t count = std::exchange(count_, 0);
  if (count == 0 && !wants_luma) return 0;
  return kernels_.recolour(image_, {steps_.data(), count}, wants_luma);
}

void ColourChain::run() {
  run_all(false);
}

void ColourChain::brightness(double factor) {
  add(blend_with(0, checked_factor(factor, "brightness")));
}

void ColourChain::contrast(double factor) {
  const float share = checked_factor(factor, "contrast");
  if (image_.empty()) return;
  const auto pixels = static_cast<double>(image_.pixels.size()) / image_.channels;
  const double mean = static_cast<double>(run_all(true)) / pixels;
  add(blend_with(static_cast<int>(mean + 0.5), share));
}

void ColourChain::saturation(double factor) {
  ColourStep step;
  step.kind = ColourStep::Kind::Saturation;
  step.factor = checked_factor(factor, "saturation");
  add(step);
}

void ColourChain::hue(double turns) {
  if (!(turns >= -0.5 && turns <= 0.5))
    fail(ErrorKind::Usage, "[hue] shift must lie in [-0.5, 0.5] turns: {}", turns);
  ColourStep step;
  step.kind = ColourStep::Kind::Hue;
  step.shift = static_cast<int>(turns * 255);
  add(step);
}

void ColourChain::grayscale() {
  ColourStep step;
  step.kind = ColourStep::Kind::Grey;
  add(step);
}

void ColourChain::solarize(int threshold) {
  ColourStep step;
  for (int sample = 0; sample < 256; ++sample)
    step.table[static_cast<std::size_t>(sample)] =
        static_cast<std::uint8_t>(sample >= threshold ? 255 - sample : sample);
  add(step);
}

void adjust_brightness(Image& image, double factor) {
  ColourChain chain(image);
  chain.brightness(factor);
  chain.run();
}

void adjust_contrast(Image& image, double factor) {
  ColourChain chain(image);
  chain.contrast(factor);
  chain.run();
}

void adjust_saturation(Image& image, double factor) {
  ColourChain chain(image);
  chain.saturation(factor);
  chain.run();
}

void adjust_hue(Image& image, double turns) {
  ColourChain chain(image);
  chain.hue(turns);
  chain.run();
}

void to_grayscale(Image& image) {
  ColourChain chain(image);
  chain.grayscale();
  chain.run();
}

void solarize(Image& image, int threshold) {
  ColourChain chain(image);
  chain.solarize(threshold);
  chain.run();
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
  for (auto& sample : grey.pixels) {
    sample = luma(rgb[0], rgb[1], rgb[2]);
    rgb += 3;
  }
  return grey;
}

}  // namespace dino::image
