// What is drawn for one view, in the reference's order; apply_crop.cpp does it to pixels.
#include "dino/data/multi_crop.h"

#include <algorithm>

#include "dino/base/error.h"
#include "dino/data/crop_geometry.h"
#include "dino/data/multi_crop_fields.h"

namespace dino::data {
namespace {

void check_pair(std::string_view key, const std::array<double, 2>& range) {
  if (range[0] > range[1])
    fail(ErrorKind::Config, "[recipe] crops.{} = [{}, {}] starts above its end; swap the two", key,
         range[0], range[1]);
}

/** torchvision's ColorJitter: four factors, applied in a random order. */
void draw_jitter(const MultiCropOptions& options, Rng& rng, CropRecord& record) {
  const auto factor = [&](double strength) {
    return rng.uniform(std::max(0.0, 1 - strength), 1 + strength);
  };
  rng.shuffle(std::span<int>(record.order));
  record.brightness = factor(options.brightness);
  record.contrast = factor(options.contrast);
  record.saturation = factor(options.saturation);
  record.hue = rng.uniform(-options.hue, options.hue);
}

}  // namespace

void validate(const MultiCropOptions& options, int channels) {
  check_fields("crops", options);
  check_pair("global_scale", options.global_scale);
  check_pair("local_scale", options.local_scale);
  check_pair("blur_radius", options.blur_radius);
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
  CropRecord record{.size = global ? options.global_size : options.local_size,
                    .left = box.left - options.pad,
                    .top = box.top - options.pad,
                    .width = box.width,
                    .height = box.height};
  record.flipped = rng.bernoulli(options.horizontal_flip);
  record.jittered = rng.bernoulli(options.jitter);
  if (record.jittered) draw_jitter(options, rng, record);
  record.grayscaled = rng.bernoulli(options.grayscale);
  record.blurred = rng.bernoulli(options.blur[kind]);
  if (record.blurred)
    record.blur_radius = rng.uniform(options.blur_radius[0], options.blur_radius[1]);
  record.solarized = rng.bernoulli(options.solarize[kind]);
  return record;
}

}  // namespace dino::data
