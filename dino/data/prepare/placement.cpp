// Geometry follows the references to the pixel: torchvision's Resize and CenterCrop (floor for the
// long side, round-half-to-even for the crop's offset), transformers' where crop_rounds_down says
// so, Pillow's thumbnail() for LongSide.
#include "dino/data/prepare/placement.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "dino/base/error.h"
#include "dino/data/prepare/preprocess.h"

namespace dino::data {
namespace {

// A strip of 1 x 60,000 px would become 256 x 15,360,000, so it is refused before allocation.
constexpr std::int64_t kMaxResizedPixels = 100'000'000;

struct Size {
  std::int64_t width = 0, height = 0;  // px
};

/** excess / 2, halves down or to the even neighbor, as Python's round() does. */
int center_offset(std::int64_t excess, bool rounds_down) {
  const int half = static_cast<int>(excess / 2);
  return !rounds_down && excess % 2 == 1 && half % 2 == 1 ? half + 1 : half;
}

/** The short side becomes `target`, the long one follows, rounded down. */
Size short_side_to(Size source, std::int64_t target) {
  if (source.width <= source.height) return {target, target * source.height / source.width};
  return {target * source.width / source.height, target};
}

/** The long side becomes `target`. */
Size long_side_to(Size source, std::int64_t target) {
  if (source.width <= source.height)
    return {std::max<std::int64_t>(1, target * source.width / source.height), target};
  return {target, std::max<std::int64_t>(1, target * source.height / source.width)};
}

/** The integer next to `number` (below or above) with the smaller error, at least 1. */
template <typename Error>
std::int64_t better_neighbor(double number, Error error) {
  const double below = std::floor(number), above = std::ceil(number);
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(error(above) < error(below) ? above : below));
}

/** Pillow's thumbnail(): shrinks into a square of side `target`, keeping the aspect as exactly as
 * whole pixels can. */
Size thumbnail_size(Size source, std::int64_t target) {
  if (source.width <= target && source.height <= target) return source;
  const double aspect = static_cast<double>(source.width) / static_cast<double>(source.height);
  const auto side = static_cast<double>(target);
  if (aspect <= 1)
    return {better_neighbor(side * aspect, [&](double n) { return std::abs(aspect - n / side); }),
            target};
  return {target, better_neighbor(side / aspect, [&](double n) {
            return n == 0 ? 0 : std::abs(aspect - side / n);
          })};
}

Size resized_size(Size source, const Preprocess& p) {
  const std::int64_t side = p.image_size;
  switch (p.fit) {
    case Fit::CenterCrop:
      if (p.resize == 0 && source.width == side && source.height == side) return source;
      return short_side_to(source, p.resize > 0 ? p.resize : side * 256 / 224);
    case Fit::Stretch:
      return {side, side};
    case Fit::ShortSide:
      return short_side_to(source, side);
    case Fit::LongSide:
      return thumbnail_size(source, side);
    case Fit::Pad:
      return long_side_to(source, side);
    case Fit::Native:
      return source;
  }
  return source;
}

/** One axis of the window: how long the image becomes, and the window on it. */
struct Axis {
  std::int64_t resized = 0, first = 0, length = 0;  // px
};

[[noreturn]] void refuse_remainder(Size size, int patch) {
  fail(ErrorKind::Data,
       "[preprocess] {} x {} px do not divide into patches of {} px; choose another remainder than "
       "error: floor (leave it out), pad, stretch (to the next multiple) or round (to the nearest)",
       size.width, size.height, patch);
}

Axis whole_patches(std::int64_t side, const Preprocess& p, int patch, Size size) {
  const std::int64_t rest = side % patch;
  if (rest == 0) return {side, 0, side};
  const std::int64_t next = side - rest + patch;
  switch (p.remainder) {
    case Remainder::Error:
      refuse_remainder(size, patch);
    case Remainder::Floor:
      if (side < patch)
        fail(
            ErrorKind::Data,
            "[preprocess] {} x {} px are less than a patch of {} px; choose another remainder than "
            "floor: pad, stretch or round",
            size.width, size.height, patch);
      return {side, 0, side - rest};
    case Remainder::Pad:
      return {side, -((next - side) / 2), next};
    case Remainder::Stretch:
      return {next, 0, next};
    case Remainder::Round: {
      const std::int64_t nearest = 2 * rest >= patch || side < patch ? next : side - rest;
      return {nearest, 0, nearest};
    }
  }
  return {side, 0, side};
}

}  // namespace

Rect Placement::to_source(const Rect& input) const {
  const double across = static_cast<double>(source_width) / resized_width;
  const double down = static_cast<double>(source_height) / resized_height;
  return {(input.left + left) * across, (input.top + top) * down, (input.right + left) * across,
          (input.bottom + top) * down};
}

Rect Placement::source_of_grid() const {
  return to_source({0, 0, static_cast<double>(grid_width() * patch_size),
                    static_cast<double>(grid_height() * patch_size)});
}

Rect Placement::source_of_patch(int row, int column) const {
  const double x = column * patch_size, y = row * patch_size;
  return to_source({x, y, x + patch_size, y + patch_size});
}

Placement place(int width, int height, const Preprocess& p, int patch_size) {
  if (width < 1 || height < 1) fail(ErrorKind::Format, "[preprocess] the image is empty");
  if (patch_size < 1)
    fail(ErrorKind::Config, "[preprocess] the patch must be at least 1 px: {}", patch_size);
  const Size resized = resized_size({width, height}, p);
  Axis x{resized.width, 0, p.image_size}, y{resized.height, 0, p.image_size};
  if (keeps_shape(p)) {
    x = whole_patches(resized.width, p, patch_size, resized);
    y = whole_patches(resized.height, p, patch_size, resized);
  }
  if (x.resized * y.resized > kMaxResizedPixels || x.length * y.length > kMaxResizedPixels)
    fail(ErrorKind::Format, "[preprocess] image too elongated to resize: {} x {} px", width,
         height);
  if (p.fit == Fit::CenterCrop) {
    x.first = center_offset(x.resized - x.length, p.crop_rounds_down);
    y.first = center_offset(y.resized - y.length, p.crop_rounds_down);
  } else if (p.fit == Fit::Pad) {
    x.first = -((x.length - x.resized) / 2);
    y.first = -((y.length - y.resized) / 2);
  }
  return {.source_width = width,
          .source_height = height,
          .resized_width = static_cast<int>(x.resized),
          .resized_height = static_cast<int>(y.resized),
          .left = static_cast<int>(x.first),
          .top = static_cast<int>(y.first),
          .width = static_cast<int>(x.length),
          .height = static_cast<int>(y.length),
          .patch_size = patch_size};
}

}  // namespace dino::data
