// The steps of one view in the reference's order: crop and resize, flip, colour jitter, grey, blur,
// solarise.
#include "dino/data/multi_crop.h"

#include <algorithm>
#include <cstring>

#include "dino/base/error.h"
#include "dino/data/crop_geometry.h"
#include "dino/data/multi_crop_fields.h"
#include "dino/image/blur.h"
#include "dino/image/color.h"
#include "dino/image/resize.h"

namespace dino::data {
namespace {

void check_pair(std::string_view key, const std::array<double, 2>& range) {
  if (range[0] > range[1])
    fail(ErrorKind::Config, "[recipe] crops.{} = [{}, {}] starts above its end; swap the two", key,
         range[0], range[1]);
}

/** The pixels of the record's box; zeros where it reaches outside the image. The reference cuts
 * before it resizes, so the resize must not see pixels outside the box. */
void cut(const image::Image& source, const CropRecord& record, image::Image& out) {
  out.width = record.width;
  out.height = record.height;
  out.channels = source.channels;
  out.pixels.resize(static_cast<std::size_t>(out.height) * out.row_bytes());
  const auto bytes = [&](int columns) {
    return static_cast<std::size_t>(columns * source.channels);
  };
  const int first = std::clamp(-record.left, 0, record.width);  // columns inside the source
  const int last = std::clamp(source.width - record.left, first, record.width);
  for (int y = 0; y < record.height; ++y) {
    std::uint8_t* row = out.row(y);
    const int source_y = record.top + y;
    if (source_y < 0 || source_y >= source.height || first == last) {
      std::memset(row, 0, out.row_bytes());
      continue;
    }
    std::memset(row, 0, bytes(first));
    std::memcpy(row + bytes(first), source.row(source_y) + bytes(record.left + first),
                bytes(last - first));
    std::memset(row + bytes(last), 0, bytes(record.width - last));
  }
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

void jitter(image::Image& view, const CropRecord& record) {
  for (const int step : record.order) {
    if (step == 0) image::adjust_brightness(view, record.brightness);
    if (step == 1) image::adjust_contrast(view, record.contrast);
    if (step == 2) image::adjust_saturation(view, record.saturation);
    if (step == 3) image::adjust_hue(view, record.hue);
  }
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

image::Image apply_crop(const image::Image& source, const CropRecord& record) {
  thread_local image::Image piece;  // kept between calls: a large crop is copied, not allocated
  cut(source, record, piece);
  image::Image view = image::resize(piece, record.size, record.size);
  if (record.flipped) image::flip_horizontal(view);
  if (record.jittered) jitter(view, record);
  if (record.grayscaled) image::to_grayscale(view);
  if (record.blurred) image::gaussian_blur(view, record.blur_radius);
  if (record.solarized) image::solarize(view);
  return view;
}

image::Image crop_view(const image::Image& source, int view, const MultiCropOptions& options,
                       Rng rng, CropRecord* record) {
  const CropRecord drawn = draw_crop(source.width, source.height, view, options, rng);
  if (record) *record = drawn;
  return apply_crop(source, drawn);
}

Normalizer::Normalizer(const std::vector<double>& mean, const std::vector<double>& std) {
  DINO_ASSERT(mean.size() == std.size());
  for (std::size_t c = 0; c < mean.size(); ++c) {
    auto& table = tables_.emplace_back();
    for (std::size_t value = 0; value < table.size(); ++value)
      table[value] = static_cast<float>((static_cast<double>(value) / 255 - mean[c]) / std[c]);
  }
}

void Normalizer::operator()(const image::Image& source, float* out) const {
  const auto channels = static_cast<std::size_t>(source.channels);
  DINO_ASSERT(channels == tables_.size());
  const std::size_t count = source.pixels.size() / channels;
  for (std::size_t c = 0; c < channels; ++c, out += count) {
    const std::uint8_t* in = source.pixels.data() + c;
    const float* table = tables_[c].data();
    for (std::size_t i = 0; i < count; ++i) out[i] = table[in[i * channels]];  // [C, H, W]
  }
}

void normalize(const image::Image& source, const MultiCropOptions& options, float* out) {
  Normalizer{options}(source, out);
}

}  // namespace dino::data
