// From a decoded image to the square the network sees, as every DINO evaluation does it: short side
// to a fixed length (bicubic, Pillow's antialiasing), centre crop, normalisation. No randomness,
// except the shift-and-mirror stress test of `Augment`.
#pragma once
#include <cstdint>
#include <vector>

#include "dino/image/image.h"
#include "dino/image/resize.h"

namespace dino::data {

/** How an image of any shape becomes what the network gets. */
enum class Fit {
  CenterCrop,  ///< short side to `resize`, then the central image_size square: DINO, DINOv2
  Stretch,     ///< image_size square whatever the aspect: DINOv3
  ShortSide,   ///< short side to image_size, aspect kept, nothing cropped
  LongSide,    ///< long side to image_size if it is longer, aspect kept: DINO's retrieval
  Pad,         ///< long side to image_size, aspect kept, padded to a square
  Native,      ///< the image's own size
};

/** What happens to sides that are no multiple of the patch (Fit::ShortSide, LongSide, Native). */
enum class Remainder {
  Error,  ///< refuse the image
  Floor,  ///< leave the remainder right and below out, as DINO and DINOv3 do
  Pad,    ///< zeros (after normalisation) around the image: total / 2 left and above, rest opposite
  Stretch,  ///< resize to the next multiple
  Round,    ///< resize to the nearest multiple, at least one
};

/** The evaluation transform. Defaults are DINO's on ImageNet. */
struct Preprocess {
  int image_size = 224;  ///< px, see Fit
  int resize = 0;        ///< px the short side is resized to before the centre crop; 0 = leave
                         ///< images that are image_size squared alone, else image_size * 256 / 224
  int channels = 3;      ///< 1 grey, 3 RGB
  std::vector<double> mean = {0.485, 0.456, 0.406};  ///< per channel, of pixels in [0, 1]
  std::vector<double> std = {0.229, 0.224, 0.225};   ///< per channel
  Fit fit = Fit::CenterCrop;
  image::Filter filter = image::Filter::Bicubic;
  bool resize_floats = false;  ///< resize in floats, as tensors are, not in Pillow's 8 bits
  Remainder remainder = Remainder::Error;
  bool operator==(const Preprocess&) const = default;
};

/** Throws Error{Config} naming the field that is out of range. */
void validate(const Preprocess& preprocess);

/** Moves the picture under the network: is a feature about what is in the image or about where it
 * is? Image i is drawn from Rng(seed, 0, i): the same shifts whatever the order, the batch size or
 * the number of threads. */
struct Augment {
  int shift_px = 0;     ///< uniform in [-shift, shift] on both axes; uncovered pixels are black
  bool mirror = false;  ///< left-right with probability one half
  std::uint64_t seed = 0;
  bool any() const { return shift_px > 0 || mirror; }
};

/** The 8-bit square of side image_size that is normalised and fed. Throws Error{Format} on images
 * too elongated to resize. Thread-safe. */
image::Image eval_crop(const image::Image& source, const Preprocess& preprocess);

/** The picture moved `right` and `down` px (negative: left, up), black where nothing is left;
 * mirrored first if asked. Thread-safe. */
image::Image shifted(const image::Image& source, int right, int down, bool mirrored);

/** What Augment does to image `index`. Thread-safe. */
image::Image augmented(const image::Image& source, const Augment& augment, std::int64_t index);

}  // namespace dino::data
