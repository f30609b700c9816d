// A drawn view made of pixels, in the reference's order: crop and resize, flip, colour jitter,
// grey, blur, solarise; then normalised to floats. DINOv3's Gram crops add a second resize, before
// the colours or after them.
#include <algorithm>
#include <cstring>

#include "dino/base/error.h"
#include "dino/data/multi_crop.h"
#include "dino/image/blur.h"
#include "dino/image/color.h"
#include "dino/image/resize.h"
#include "dino/image/resize_float.h"
#include "dino/image/tap_blur.h"

namespace dino::data {
namespace {

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

int painted_size(const CropRecord& record) {
  return record.painted_size > 0 ? record.painted_size : record.size;
}

image::Image resized(image::Image square, int size) {
  return square.width == size ? std::move(square) : image::resize(square, size, size);
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

image::Image crop_base(const image::Image& source, const CropRecord& record) {
  thread_local image::Image piece;  // kept between calls: a large crop is copied, not allocated
  cut(source, record, piece);
  const int size = record.base_size > 0 ? record.base_size : painted_size(record);
  image::Image base = image::resize(piece, size, size);
  if (record.flipped) image::flip_horizontal(base);
  return base;
}

void change_colors(image::Image& view, const CropRecord& record) {
  if (record.jittered) jitter(view, record);
  if (record.grayscaled) image::to_grayscale(view);
  if (record.blurred && record.blur_kernel > 0)
    image::gaussian_blur_taps(view, record.blur_radius, record.blur_kernel);
  else if (record.blurred)
    image::gaussian_blur(view, record.blur_radius);
  if (record.solarized) image::solarize(view);
}

image::Image paint_crop(image::Image base, const CropRecord& record) {
  image::Image view = resized(std::move(base), painted_size(record));
  change_colors(view, record);
  if (!record.window) return view;
  image::Image piece;
  cut(view,
      {.left = record.window_left,
       .top = record.window_top,
       .width = record.size,
       .height = record.size},
      piece);
  return piece;
}

image::Image apply_crop(const image::Image& source, const CropRecord& record) {
  return resized(paint_crop(crop_base(source, record), record), record.size);
}

image::Image crop_view(const image::Image& source, int view, const MultiCropOptions& options,
                       Rng rng, CropRecord* record) {
  const CropRecord drawn = draw_crop(source.width, source.height, view, options, rng);
  if (record) *record = drawn;
  return apply_crop(source, drawn);
}

Normalizer::Normalizer(const std::vector<double>& mean, const std::vector<double>& std)
    : mean_(mean), std_(std) {
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

void Normalizer::resized(const image::Image& source, int size, float* out) const {
  DINO_ASSERT(static_cast<std::size_t>(source.channels) == tables_.size());
  const image::Planes planes = image::resize_to_floats(source, size, size, image::Filter::Bicubic);
  const auto plane = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
  for (std::size_t c = 0; c < tables_.size(); ++c, out += plane) {
    const auto mean = static_cast<float>(mean_[c]), scale = static_cast<float>(1 / std_[c]);
    const float* in = planes.values.data() + c * plane;
    for (std::size_t i = 0; i < plane; ++i) out[i] = (in[i] - mean) * scale;  // [C, H, W]
  }
}

void normalize(const image::Image& source, const MultiCropOptions& options, float* out) {
  Normalizer{options}(source, out);
}

}  // namespace dino::data
