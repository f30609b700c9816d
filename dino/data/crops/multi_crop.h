// The multi-crop augmentation of DINO (Caron et al. 2021, section 3.1 and appendix; main_dino.py
// DataAugmentationDINO) with the extensions of DINOv2 and DINOv3: two global and L local crops per
// image, each with its own geometry and colors. This file says what may be drawn; apply_crop.h
// applies it to pixels, views.h makes all crops of an image.
#pragma once
#include <array>
#include <optional>
#include <vector>

#include "dino/base/rng.h"

namespace dino::data {

/** Options of the augmentation. The defaults are DINO's ImageNet recipe. Triples are values for
 * {global 1, global 2, local}. */
struct MultiCropOptions {
  int global_size = 224;                            ///< px
  std::array<double, 2> global_scale = {0.4, 1.0};  ///< share of the image's area
  int local_size = 96;                              ///< px
  int local_count = 8;                              ///< 0 = global crops only
  std::array<double, 2> local_scale = {0.05, 0.4};  ///< share of the image's area
  double horizontal_flip = 0.5;                     ///< probability
  double jitter = 0.8;                              ///< probability of color jitter
  double brightness = 0.4;                          ///< factor in [max(0,1-b), 1+b]
  double contrast = 0.4;                            ///< likewise
  double saturation = 0.2;                          ///< likewise; RGB only
  double hue = 0.1;                                 ///< shift in [-h, h] turns; RGB only
  double grayscale = 0.2;                           ///< probability; RGB only
  std::array<double, 3> blur = {1.0, 0.1, 0.5};     ///< probability per view kind
  std::array<double, 2> blur_radius = {0.1, 2.0};   ///< px, Gaussian standard deviation
  int blur_kernel = 0;  ///< taps of a true Gaussian (v2, v3: 9); 0 = Pillow's approximation (v1)
  std::array<double, 3> solarize = {0.0, 0.2, 0.0};  ///< probability per view kind
  bool shared_jitter = false;  ///< draw jitter and grayscale once per image, equal in all its crops
  /// px; local crops are windows of the global crops (half of them of each) at multiples of this
  /// step (the patch size); 0 = local crops are cut from the image
  int local_window_step = 0;
  bool clean_teacher = false;  ///< the teacher gets the global crops without color changes
  int gram_size = 0;           ///< px, size of the same regions for the Gram teacher; 0 = none
  /// The Gram teacher's crops have the color changes of the global ones
  bool gram_distorted = false;
  int pad = 0;  ///< px that crops may reach beyond the image, where it is as at its border
  std::vector<double> mean = {0.485, 0.456, 0.406};  ///< per channel, for samples in [0, 1] (floats
                                                     ///< as stored)
  std::vector<double> std = {0.229, 0.224, 0.225};   ///< per channel
  bool operator==(const MultiCropOptions&) const = default;
};

/** Throws Error{Config} naming the key if a value is out of range or mean/std do not have
 * `channels` entries. */
void validate(const MultiCropOptions& options, int channels);

/** Random changes of color: of one view, or of a whole image that shares them. */
struct ColorRecord {
  bool jittered = false, grayscaled = false, blurred = false, solarized = false;
  std::array<int, 4> order = {0, 1, 2,
                              3};  ///< of jitter: 0 brightness, 1 contrast, 2 saturation, 3 hue
  double brightness = 1, contrast = 1, saturation = 1, hue = 0;
  double blur_radius = 0;        ///< px
  std::optional<int> blur_taps;  ///< of a true Gaussian; none: Pillow's approximation
};

/** All random parameters of one view. */
struct CropRecord {
  int size = 0;                  ///< px, side of the final view
  int painted_size = size;       ///< px, side at which color changes are applied
  int base_size = painted_size;  ///< px, side the box is resized to first
  int left = 0, top = 0, width = 0,
      height = 0;  ///< px in the source image; with `pad`, may reach outside it
  bool flipped = false;
  ColorRecord colors = {};
  bool window = false;                  ///< the view is a window of the crop after color changes
  int window_left = 0, window_top = 0;  ///< px in that crop
};

/** Draws one view of an image of width x height px. Views 0 and 1 are the global crops, 2 to 1 +
 * local_count the local ones. Randomness is Rng(seed, epoch, sample, view); equal streams give
 * equal records. Thread-safe. */
CropRecord draw_crop(int width, int height, int view, const MultiCropOptions& options, Rng rng);

/** Draws a local view that is a window of the global crop `parent`. */
CropRecord draw_window(const CropRecord& parent, const MultiCropOptions& options, Rng rng);

/** Draws jitter and grayscale for a whole image (shared_jitter). */
ColorRecord draw_shared_colors(const MultiCropOptions& options, Rng rng);

}  // namespace dino::data
