// Converts decoded images to network input: resize, crop or pad to whole patches, normalize. Covers
// the transforms of DINO, DINOv2 and DINOv3 and of their dense and retrieval evaluations. It is
// deterministic, except for the shifts and mirroring of `Augment`.
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

/** How an image of any shape is fitted to the network's input. */
enum class Fit {
  CenterCrop,  ///< short side to `resize`, then the central square of image_size: DINO, DINOv2
  Stretch,     ///< resize to a square of image_size, ignoring the aspect ratio: DINOv3
  ShortSide,   ///< short side to image_size, keeping the aspect ratio
  LongSide,    ///< long side to at most image_size, keeping the aspect ratio: DINO's retrieval
  Pad,         ///< long side to image_size, keeping the aspect ratio, padded to a square
  Native,      ///< the image's own size
};

/** How sides that are not a multiple of the patch are handled (Fit::ShortSide, LongSide, Native).
 */
enum class Remainder {
  Error,  ///< refuse the image
  Floor,  ///< crop the remainder on the right and below, as DINO and DINOv3 do
  /// Pad with zeros after normalization: total / 2 left and above, the rest right and below
  Pad,
  Stretch,  ///< resize to the next multiple
  Round,    ///< resize to the nearest multiple, at least one
};

/** Their names in files and on the command line. */
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

/** The default limit of patches per image: 1,960 x 1,960 px with patches of 14 px. The time of
 * attention is quadratic in them; at this size it is some seconds per block. */
inline constexpr std::int64_t kMaxTokens = 20'000;

/** The evaluation transform. Defaults are DINO's on ImageNet. */
struct Preprocess {
  int image_size = 224;  ///< px, see Fit
  int resize = 0;        ///< px of the short side before the center crop; 0 = keep
                         ///< images of image_size x image_size, else image_size * 256 / 224
  int channels = 3;      ///< 1 gray, 3 RGB, others with full_range
  std::vector<double> mean = {0.485, 0.456, 0.406};  ///< per channel, for samples in [0, 1]
                                                     ///< (with full_range also outside)
  std::vector<double> std = {0.229, 0.224, 0.225};   ///< per channel
  Fit fit = Fit::CenterCrop;
  image::Filter filter = image::Filter::Bicubic;
  bool resize_floats = false;  ///< resize in floats, as PyTorch does tensors, not in 8 bits
  bool full_range = false;     ///< keep precision beyond 8 bits and values outside the range (see
                               ///< load_wide()); resizes in floats, clipped to the image's range
  Remainder remainder = Remainder::Error;
  std::vector<int> background = {};  ///< RGB, 0 to 255, behind transparent pixels; empty = drop the
                                     ///< alpha
  bool upright = true;               ///< apply the EXIF orientation
  bool crop_rounds_down = false;     ///< round half of an odd margin of the center crop down
                                     ///< (transformers) instead of to even (torchvision, timm)
  std::vector<double> value_range = {};  ///< {black, white} in stored values; empty = as
                                         ///< the files or their sample types say
  bool operator==(const Preprocess&) const = default;
};

/** Throws Error{Config} naming the field that is out of range. */
void validate(const Preprocess& preprocess);

/** The options with which to read files for this preprocessing. */
SourceOptions source_options(const Preprocess& preprocess);
image::DecodeOptions decode_options(const Preprocess& preprocess);
/** As above, from single values. Throws Error{Config} on an invalid background or range. */
image::DecodeOptions decode_options(const std::vector<int>& background, bool upright,
                                    const std::vector<double>& value_range);

/** Whether images of different shapes give inputs of different sizes. */
bool keeps_shape(const Preprocess& preprocess);

/** Computes the placement of an image of that size. Square fits (CenterCrop, Stretch, Pad) have
 * side image_size for any patch; the network ignores a remainder. Throws Error{Data} if its sides
 * do not fit the patch (Remainder::Error) or are below one patch, Error{Format} if it is empty or
 * too elongated to resize. Thread-safe. */
Placement place(int width, int height, const Preprocess& preprocess, int patch_size);

/** The network input made from one image, and its geometry. */
struct Prepared {
  std::vector<float> pixels;  ///< [C, H, W], normalized; padding is 0
  int height = 0;             ///< px, H
  int width = 0;              ///< px, W
  Placement placement;
};

/** The number of patches of an image of height x width px; sides are rounded up to whole patches.
 */
std::int64_t token_count(int height, int width, int patch_size);

/** Throws Error{Data} if token_count() exceeds `most`, with advice; 0 means no limit. */
void check_token_count(int height, int width, int patch_size, std::int64_t most);

/** Converts images to network input; `patch_size` (px) is the network's. The constructor throws
 * Error{Config} on an invalid preprocess or patch. Calls throw as place() does, Error{Usage} on
 * images with another number of channels, and Error{Data} on an image with more than `max_tokens`
 * patches (0 = no limit), before memory is allocated for it. Thread-safe. */
class Preparer {
 public:
  Preparer(Preprocess preprocess, int patch_size, std::int64_t max_tokens = 0);
  Prepared operator()(const image::Image& source) const;
  Prepared operator()(const image::Planes& source) const;
  /** Prepares image `index`, loaded with load_wide() if full_range. */
  Prepared operator()(const Dataset& dataset, std::int64_t index) const;
  /** Decodes an image file with decode_options() and prepares it. Also throws Error{Io|Format}
   * naming the file. */
  Prepared operator()(const std::filesystem::path& file) const;
  const Preprocess& preprocess() const { return preprocess_; }

 private:
  Prepared placed(int width, int height, int channels) const;
  Preprocess preprocess_;
  int patch_size_;
  std::int64_t max_tokens_;
  Normalizer normalizer_;
};

/** Prepares one image as Preparer does. */
Prepared prepare(const image::Image& source, const Preprocess& preprocess, int patch_size);

/** Random shifts and mirroring of the input, to test whether features depend on an image's content
 * or on its position. Image i is drawn from Rng(seed, 0, i), independent of order, batch size and
 * threads. */
struct Augment {
  int shift_px = 0;     ///< uniform in [-shift, shift] on both axes; see shifted()
  bool mirror = false;  ///< left-right with probability one half
  std::uint64_t seed = 0;
  bool any() const { return shift_px > 0 || mirror; }
};

/** The network's input before normalization as an 8-bit image, for display: padding is black, and
 * `resize_floats` is ignored. Throws as place() with a patch of 1 px. Thread-safe. */
image::Image eval_crop(const image::Image& source, const Preprocess& preprocess);
/** The same for image `index`; with full_range it is converted by image::to_picture(). */
image::Image eval_crop(const Dataset& dataset, std::int64_t index, const Preprocess& preprocess);

/** Mirrors the image if `mirrored`, then moves it by `right` and `down` px (negative: left and up);
 * what that uncovers is as the image's border there, so that an object on a plain ground stays on
 * one. Thread-safe. */
image::Image shifted(const image::Image& source, int right, int down, bool mirrored);

/** Applies `augment` to image `index`. Thread-safe. */
image::Image augmented(const image::Image& source, const Augment& augment, std::int64_t index);
/** Applies `augment` to a prepared image in place. Thread-safe. */
void augment_prepared(Prepared& prepared, const Preprocess& preprocess, const Augment& augment,
                      std::int64_t index);

}  // namespace dino::data
