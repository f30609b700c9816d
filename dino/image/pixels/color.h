// Color operations of the augmentations, in place on 8-bit pixels, equal bit for bit to what
// torchvision does with Pillow images (ImageEnhance, HSV hue shift, ImageOps). Factor 1 (0 for hue)
// does not change the image. Thread-safe on different images.
#pragma once
#include <array>

#include "dino/image/image.h"
#include "dino/image/pixels/kernels.h"

namespace dino::image {

/** Scales all samples by `factor` >= 0 towards or away from black. */
void adjust_brightness(Image& image, double factor);

/** Blends with the mean gray of the image; `factor` >= 0, 0 gives a flat image. */
void adjust_contrast(Image& image, double factor);

/** Blends with the gray version of the image; `factor` >= 0, 0 gives gray. No effect on gray
 * images. */
void adjust_saturation(Image& image, double factor);

/** Shifts the hue by `turns` in [-0.5, 0.5] of the color circle, in 8-bit HSV. No effect on gray
 * images. */
void adjust_hue(Image& image, double turns);

/** Replaces colors by their Rec. 601 luma and keeps three channels. No effect on gray images. */
void to_grayscale(Image& image);

/** Inverts all samples at or above `threshold`. */
void solarize(Image& image, int threshold = 128);

/** Applies several of the operations above in as few passes over the image as possible, with the
 * same result. Operations are queued and may be deferred until run(); contrast starts a new pass,
 * since it needs the mean of its input. Borrows the image. */
class ColorChain {
 public:
  explicit ColorChain(Image& image, const PixelKernels& kernels = image::kernels());
  void brightness(double factor);
  void contrast(double factor);
  void saturation(double factor);
  void hue(double turns);
  void grayscale();
  void solarize(int threshold = 128);
  void run();

 private:
  void add(const ColorStep& step);
  std::uint64_t run_all(bool wants_luma);

  Image& image_;
  const PixelKernels& kernels_;
  std::array<ColorStep, 6> steps_;
  std::size_t count_ = 0;
};

/** Throws Error{Usage} naming `operation` unless the image has 1 or 3 channels. */
void check_gray_or_rgb(const Image& image, const char* operation);
void check_gray_or_rgb(int channels, const char* operation);

/** The factor of brightness, contrast or saturation in Pillow's precision. Throws Error{Usage} if
 * it is not in [0, 1e6]: beyond, every blend is black and white anyway, and integers would
 * overflow. */
float checked_factor(double factor, const char* operation);
/** Throws Error{Usage} unless the shift of a hue lies in [-0.5, 0.5]. */
void check_turns(double turns);

/** Mirrors the image horizontally, in place. */
void flip_horizontal(Image& image);

/** Rec. 601 luma of one color as Pillow rounds it. */
inline std::uint8_t luma(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  return static_cast<std::uint8_t>((19595u * red + 38470u * green + 7471u * blue + 0x8000u) >> 16);
}

inline float luma(float red, float green, float blue) {
  return 0.299F * red + 0.587F * green + 0.114F * blue;
}

/** Converts one ink of CMYK and black to a color channel, as Pillow rounds it; both are stored as
 * 255 - ink, as Adobe does. */
inline std::uint8_t ink_to_light(int inverted_ink, int inverted_black) {
  const int product = (255 - inverted_ink) * inverted_black + 128;
  return static_cast<std::uint8_t>(inverted_black - (((product >> 8) + product) >> 8));
}

/** A copy of the image with one channel, the luma. */
Image gray_copy(const Image& image);

}  // namespace dino::image
