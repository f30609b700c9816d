// Geometry follows torchvision's Resize and CenterCrop to the pixel: floor for the long side,
// round-half-to-even for the crop's offset.
#include "dino/data/preprocess.h"

#include <algorithm>
#include <cstring>

#include "dino/base/error.h"
#include "dino/base/rng.h"
#include "dino/image/resize.h"

namespace dino::data {
namespace {

// A 1 x 60,000 px strip would become 256 x 15,360,000: refuse before allocating.
constexpr std::int64_t kMaxResizedPixels = 100'000'000;

/** excess / 2, halves to the even neighbour, as Python's round() does. */
int centre_offset(int excess) {
  const int half = excess / 2;
  return excess % 2 == 1 && half % 2 == 1 ? half + 1 : half;
}

image::Image centre_crop(const image::Image& source, int size) {
  const int left = centre_offset(source.width - size), top = centre_offset(source.height - size);
  image::Image crop(size, size, source.channels);
  for (int y = 0; y < size; ++y)
    std::memcpy(crop.row(y), source.row(top + y) + static_cast<std::size_t>(left * source.channels),
                crop.row_bytes());
  return crop;
}

}  // namespace

void validate(const Preprocess& p) {
  if (p.image_size < 1 || p.image_size > 16384)
    fail(ErrorKind::Config, "[preprocess] image_size must be in [1, 16384] px: {}", p.image_size);
  if (p.resize != 0 && (p.resize < p.image_size || p.resize > 16384))
    fail(ErrorKind::Config,
         "[preprocess] resize must be 0 or at least image_size ({} px), at most 16384: {}",
         p.image_size, p.resize);
  if (p.channels != 1 && p.channels != 3)
    fail(ErrorKind::Config, "[preprocess] channels must be 1 or 3: {}", p.channels);
  const auto count = static_cast<std::size_t>(p.channels);
  if (p.mean.size() != count || p.std.size() != count)
    fail(ErrorKind::Config,
         "[preprocess] mean and std need one value per channel ({}), got {} and {}", count,
         p.mean.size(), p.std.size());
  if (std::any_of(p.std.begin(), p.std.end(), [](double s) { return !(s > 0); }))
    fail(ErrorKind::Config, "[preprocess] std must be above 0 in each channel");
}

image::Image eval_crop(const image::Image& source, const Preprocess& p) {
  if (source.channels != p.channels)
    fail(ErrorKind::Usage, "[preprocess] the image has {} channels, the network takes {}",
         source.channels, p.channels);
  if (p.resize == 0 && source.width == p.image_size && source.height == p.image_size) return source;
  const std::int64_t target = p.resize > 0 ? p.resize : std::int64_t{p.image_size} * 256 / 224;
  const std::int64_t narrow = std::min(source.width, source.height);
  const std::int64_t wide = std::max(source.width, source.height);
  if (narrow < 1) fail(ErrorKind::Format, "[preprocess] the image is empty");
  const std::int64_t long_side = target * wide / narrow;
  if (long_side * target > kMaxResizedPixels)
    fail(ErrorKind::Format, "[preprocess] image too elongated to resize: {} x {} px", source.width,
         source.height);
  const bool portrait = source.width <= source.height;
  const int width = static_cast<int>(portrait ? target : long_side);
  const int height = static_cast<int>(portrait ? long_side : target);
  if (width == source.width && height == source.height) return centre_crop(source, p.image_size);
  return centre_crop(image::resize(source, width, height, image::Filter::Bicubic), p.image_size);
}

image::Image shifted(const image::Image& source, int right, int down, bool mirrored) {
  image::Image out(source.width, source.height, source.channels);
  const int channels = source.channels;
  for (int y = std::max(0, down); y < std::min(source.height, source.height + down); ++y) {
    for (int x = std::max(0, right); x < std::min(source.width, source.width + right); ++x) {
      const int from = mirrored ? source.width - 1 - (x - right) : x - right;
      std::memcpy(out.row(y) + x * channels, source.row(y - down) + from * channels,
                  static_cast<std::size_t>(channels));
    }
  }
  return out;
}

image::Image augmented(const image::Image& source, const Augment& augment, std::int64_t index) {
  Rng rng(augment.seed, 0, static_cast<std::uint64_t>(index));
  const auto draw = [&] {
    return static_cast<int>(rng.below(static_cast<std::uint64_t>(2 * augment.shift_px + 1))) -
           augment.shift_px;
  };
  const int right = draw(), down = draw();
  const bool mirrored = rng.bernoulli(0.5);
  return shifted(source, right, down, augment.mirror && mirrored);
}

}  // namespace dino::data
