// Draws the random parameters of a view, in the reference's order; apply_crop.cpp applies them to
// pixels.
#include "dino/data/crops/multi_crop.h"

#include <algorithm>

#include "dino/base/error.h"
#include "dino/data/crops/crop_geometry.h"
#include "dino/data/crops/multi_crop_fields.h"

namespace dino::data {
namespace {

void check_pair(std::string_view key, const std::array<double, 2>& range) {
  if (range[0] > range[1])
    fail(ErrorKind::Config, "[recipe] crops.{} = [{}, {}] starts above its end; swap the two", key,
         range[0], range[1]);
}

/** torchvision's ColorJitter: four factors, applied in a random order; then gray or not. */
void draw_jitter(const MultiCropOptions& options, Rng& rng, ColorRecord& record) {
  record.jittered = rng.bernoulli(options.jitter);
  const auto factor = [&](double strength) {
    return rng.uniform(std::max(0.0, 1 - strength), 1 + strength);
  };
  if (record.jittered) {
    rng.shuffle(std::span<int>(record.order));
    record.brightness = factor(options.brightness);
    record.contrast = factor(options.contrast);
    record.saturation = factor(options.saturation);
    record.hue = rng.uniform(-options.hue, options.hue);
  }
  record.grayscaled = rng.bernoulli(options.grayscale);
}

/** kind: 0, 1 the global crops, 2 the locals. */
void draw_colors(const MultiCropOptions& options, std::size_t kind, Rng& rng, ColorRecord& record) {
  if (!options.shared_jitter) draw_jitter(options, rng, record);
  record.blurred = rng.bernoulli(options.blur[kind]);
  if (options.blur_kernel > 0) record.blur_taps = options.blur_kernel;
  if (record.blurred)
    record.blur_radius = rng.uniform(options.blur_radius[0], options.blur_radius[1]);
  record.solarized = rng.bernoulli(options.solarize[kind]);
}

void check_kernel(const MultiCropOptions& options) {
  const int taps = options.blur_kernel;
  if (taps == 0) return;
  if (taps % 2 == 0)
    fail(ErrorKind::Config, "[recipe] crops.blur_kernel = {} must be odd, or 0", taps);
  // A window is cut from a global crop that is blurred already.
  const bool locals = options.local_count > 0 && options.local_window_step == 0;
  const int smallest =
      locals ? std::min(options.global_size, options.local_size) : options.global_size;
  if (smallest <= taps / 2)
    fail(ErrorKind::Config,
         "[recipe] crops.blur_kernel = {} reaches past crops of {} px; lower it, or set it to 0",
         taps, smallest);
  if (options.blur_radius[0] <= 0)
    fail(ErrorKind::Config,
         "[recipe] crops.blur_radius = [{}, {}] must start above 0 with crops.blur_kernel = {}",
         options.blur_radius[0], options.blur_radius[1], taps);
}

}  // namespace

void validate(const MultiCropOptions& options, int channels) {
  check_fields("crops", options);
  check_pair("global_scale", options.global_scale);
  check_pair("local_scale", options.local_scale);
  check_pair("blur_radius", options.blur_radius);
  check_kernel(options);
  if (options.local_window_step > 0 && options.local_size > options.global_size)
    fail(ErrorKind::Config,
         "[recipe] crops.local_size = {} must not be above crops.global_size = {} where "
         "crops.local_window_step makes local crops windows of global ones",
         options.local_size, options.global_size);
  const auto expected = static_cast<std::size_t>(channels);
  if (options.mean.size() != expected || options.std.size() != expected)
    fail(
        ErrorKind::Config,
        "[recipe] crops.mean and crops.std have {} and {} entries but data.channels = {}; give one "
        "per channel",
        options.mean.size(), options.std.size(), channels);
}

CropRecord draw_crop(int width, int height, int view, const MultiCropOptions& options, Rng rng) {
  const bool global = view < 2;
  const auto kind = static_cast<std::size_t>(std::min(view, 2));
  const CropBox box = random_resized_crop(width + 2 * options.pad, height + 2 * options.pad,
                                          global ? options.global_scale : options.local_scale, rng);
  const int size = global ? options.global_size : options.local_size;
  CropRecord record{.size = size};
  // One region for the global crop and Gram's: resized once, to the larger of the two.
  if (global) record.base_size = std::max(size, options.gram_size);
  if (options.gram_distorted) record.painted_size = record.base_size;
  record.left = box.left - options.pad;
  record.top = box.top - options.pad;
  record.width = box.width;
  record.height = box.height;
  record.flipped = rng.bernoulli(options.horizontal_flip);
  draw_colors(options, kind, rng, record.colors);
  return record;
}

CropRecord draw_window(const CropRecord& parent, const MultiCropOptions& options, Rng rng) {
  DINO_ASSERT(options.local_window_step > 0 && options.local_size <= options.global_size);
  CropRecord record{.size = options.local_size,
                    .painted_size = options.global_size,
                    .base_size = parent.base_size,
                    .left = parent.left,
                    .top = parent.top,
                    .width = parent.width,
                    .height = parent.height,
                    .flipped = parent.flipped};
  draw_colors(options, 2, rng, record.colors);
  record.window = true;
  const int step = options.local_window_step;
  const auto offset = [&] {
    const int steps = (options.global_size - options.local_size) / step;
    return step * static_cast<int>(rng.below(static_cast<std::uint64_t>(steps) + 1));
  };
  record.window_left = offset();
  record.window_top = offset();
  return record;
}

ColorRecord draw_shared_colors(const MultiCropOptions& options, Rng rng) {
  ColorRecord record;
  draw_jitter(options, rng, record);
  return record;
}

}  // namespace dino::data
