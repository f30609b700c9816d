// From a decoded image to what the network sees: resize, crop or pad to whole patches, normalize.
// The transforms of DINO, DINOv2 and DINOv3 and of their dense and retrieval evaluations. No
// randomness, except the shift-and-mirror stress test of `Augment`.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "dino/data/prepare/normalizer.h"
#include "dino/data/prepare/placement.h"
#include "dino/data/sources/dataset.h"
#include "dino/image/image.h"
#include "dino/image/pixels/resize.h"

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
  Pad,    ///< zeros (after normalization) around the image: total / 2 left and above, rest opposite
  Stretch,  ///< resize to the next multiple
  Round,    ///< resize to the nearest multiple, at least one
};

/** The words for them in files and on the command line. */
inline constexpr std::array<std::pair<Fit, std::string_view>, 6> kFitWords = {
    {{Fit::CenterCrop, "center_crop"},
     {Fit::Stretch, "stretch"},
     {Fit::ShortSide, "short_side"},
     {Fit::LongSide, "long_side"},
     {Fit::Pad, "pad"},
     {Fit::Native, "native"}}};
inline constexpr std::array<std::pair<Remainder, std::string_view>, 5> kRemainderWords = {
    {{Remainder::Error, "error"},
     {Remainder::Floor, "floor"},
     {Remainder::Pad, "pad"},
     {Remainder::Stretch, "stretch"},
     {Remainder::Round, "round"}}};

/** The evaluation transform. Defaults are DINO's on ImageNet. */
struct Preprocess {
  int image_size = 224;  ///< px, see Fit
  int resize = 0;        ///< px the short side is resized to before the center crop; 0 = leave
                         ///< images that are image_size squared alone, else image_size * 256 / 224
  int channels = 3;      ///< 1 gray, 3 RGB, others with full_range
  std::vector<double> mean = {0.485, 0.456, 0.406};  ///< per channel, of samples in [0, 1]
                                                     ///< (with full_range also outside)
  std::vector<double> std = {0.229, 0.224, 0.225};   ///< per channel
  Fit fit = Fit::CenterCrop;
  image::Filter filter = image::Filter::Bicubic;
  bool resize_floats = false;  ///< resize in floats, as tensors are, not in Pillow's 8 bits
  bool full_range = false;     ///< keep samples finer than 8 bits and outside their range (see
                               ///< load_wide()); also resizes in floats, cut to the image's range
  Remainder remainder = Remainder::Error;
  std::vector<int> background = {};  ///< RGB behind transparent pixels, 0 to 255; empty = drop the
                                     ///< alpha
  bool upright = true;               ///< turn images as their EXIF orientation says
  bool crop_rounds_down = false;  ///< an odd excess around the center crop: half of it rounded down
                                  ///< (transformers), not to the even number (torchvision, timm)
  std::vector<double> value_range = {};  ///< stored values that are black and white; empty = as
                                         ///< files or their types say
  bool operator==(const Preprocess&) const = default;
};

/** Throws Error{Config} naming the field that is out of range. */
void validate(const Preprocess& preprocess);

/** How files are read for it. */
SourceOptions source_options(const Preprocess& preprocess);
image::DecodeOptions decode_options(const Preprocess& preprocess);
/** Throws Error{Config} on a background or a range that is none. */
image::DecodeOptions decode_options(const std::vector<int>& background, bool upright,
                                    const std::vector<double>& value_range);

/** Whether images of different shapes come out in different sizes. */
bool keeps_shape(const Preprocess& preprocess);

/** Where an image of that size goes, without touching a pixel. Squares (CenterCrop, Stretch, Pad)
 * have side image_size whatever the patch: the network leaves a remainder out. Throws Error{Data}
 * if its sides do not fit the patch (Remainder::Error) or are below one patch, Error{Format} if it
 * is empty or too elongated to resize. Thread-safe. */
Placement place(int width, int height, const Preprocess& preprocess, int patch_size);

/** Network input, and where the image lies in it. */
struct Prepared {
  std::vector<float> pixels;  ///< [C, H, W], normalized; padding is 0
  int height = 0;             ///< px, H
  int width = 0;              ///< px, W
  Placement placement;
};

/** Patches that an image of height x width px is cut into, sides rounded up. */
std::int64_t token_count(int height, int width, int patch_size);

/** Throws Error{Data} if that is more than `most`, saying what to try; 0 = any number will do. */
void check_token_count(int height, int width, int patch_size, std::int64_t most);

/** Prepares any number of images alike. `patch_size` px is the network's. The constructor throws
 * Error{Config} on a bad preprocess or patch; the calls as place(), and Error{Usage} on images of
 * other channels, Error{Data} on one that needs more than `max_tokens` patches (0 = any number),
 * before any memory is asked for. Thread-safe. */
class Preparer {
 public:
  Preparer(Preprocess preprocess, int patch_size, std::int64_t max_tokens = 0);
  Prepared operator()(const image::Image& source) const;
  Prepared operator()(const image::Planes& source) const;
  /** Image `index`, read as full_range says. */
  Prepared operator()(const Dataset& dataset, std::int64_t index) const;
  /** An image file, decoded as a data set opened with source_options() would. Throws
   * Error{Io|Format} too, naming the file. */
  Prepared operator()(const std::filesystem::path& file) const;
  const Preprocess& preprocess() const { return preprocess_; }

 private:
  Prepared placed(int width, int height, int channels) const;
  Preprocess preprocess_;
  int patch_size_;
  std::int64_t max_tokens_;
  Normalizer normalizer_;
};

/** One-off form of Preparer. */
Prepared prepare(const image::Image& source, const Preprocess& preprocess, int patch_size);

/** Moves the picture under the network: is a feature about what is in the image or about where it
 * is? Image i is drawn from Rng(seed, 0, i): the same shifts whatever the order, the batch size or
 * the number of threads. */
struct Augment {
  int shift_px = 0;     ///< uniform in [-shift, shift] on both axes; uncovered pixels are black
  bool mirror = false;  ///< left-right with probability one half
  std::uint64_t seed = 0;
  bool any() const { return shift_px > 0 || mirror; }
};

/** The 8-bit picture that is normalized and fed, for people to look at: padding is black, and
 * `resize_floats` is ignored. Throws as place() with a patch of 1 px. Thread-safe. */
image::Image eval_crop(const image::Image& source, const Preprocess& preprocess);
/** Of image `index`, read as full_range says; see image::to_picture(). */
image::Image eval_crop(const Dataset& dataset, std::int64_t index, const Preprocess& preprocess);

/** The picture moved `right` and `down` px (negative: left, up), black where nothing is left;
 * mirrored first if asked. Thread-safe. */
image::Image shifted(const image::Image& source, int right, int down, bool mirrored);

/** What Augment does to image `index`. Thread-safe. */
image::Image augmented(const image::Image& source, const Augment& augment, std::int64_t index);
/** The same for a prepared image; black is what `preprocess` makes of it. */
void augment_prepared(Prepared& prepared, const Preprocess& preprocess, const Augment& augment,
                      std::int64_t index);

}  // namespace dino::data
