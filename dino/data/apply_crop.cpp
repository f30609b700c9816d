// A drawn view made of pixels, in the reference's order: crop and resize, flip, colour jitter,
// grey, blur, solarise; then normalised to floats. DINOv3's Gram crops add a second resize, before
// the colours or after them.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

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
  out.reshape(record.width, record.height, source.channels);
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

void resize_square(const image::ImageView& source, int size, image::Image& out,
                   CropWorkspace& workspace) {
  const image::Box all{0, 0, static_cast<float>(source.width), static_cast<float>(source.height)};
  image::resize_into(source, all, size, size, image::Filter::Bicubic, out, workspace.pixels);
}

/** Resizes the view itself. */
void resize_square(image::Image& view, int size, CropWorkspace& workspace) {
  if (view.width == size) return;
  resize_square(image::ImageView(view), size, workspace.piece, workspace);
  std::swap(view, workspace.piece);
}

void jitter(image::ColourChain& chain, const CropRecord& record) {
  for (const int step : record.order) {
    if (step == 0) chain.brightness(record.brightness);
    if (step == 1) chain.contrast(record.contrast);
    if (step == 2) chain.saturation(record.saturation);
    if (step == 3) chain.hue(record.hue);
  }
}

}  // namespace

void crop_unmirrored(const image::Image& source, const CropRecord& record, image::Image& base,
                     CropWorkspace& workspace) {
  const Stopwatch watch = timed(workspace, &StageSeconds::crop);
  const int size = record.base_size > 0 ? record.base_size : painted_size(record);
  const bool inside = record.left >= 0 && record.top >= 0 &&
                      record.left + record.width <= source.width &&
                      record.top + record.height <= source.height;
  if (inside) {
    const image::ImageView view(source, record.left, record.top, record.width, record.height);
    return resize_square(view, size, base, workspace);
  }
  cut(source, record, workspace.piece);
  resize_square(image::ImageView(workspace.piece), size, base, workspace);
}

void change_colors(image::Image& view, const CropRecord& record, CropWorkspace& workspace) {
  image::ColourChain chain(view, *workspace.pixels.kernels);
  if (record.jittered || record.grayscaled) {
    const Stopwatch watch = timed(workspace, &StageSeconds::colour);
    if (record.jittered) jitter(chain, record);
    if (record.grayscaled) chain.grayscale();
    if (record.blurred || !record.solarized) chain.run();
  }
  if (record.blurred) {
    const Stopwatch watch = timed(workspace, &StageSeconds::blur);
    if (record.blur_kernel > 0)
      image::gaussian_blur_taps(view, record.blur_radius, record.blur_kernel);
    else
      image::gaussian_blur(view, record.blur_radius, workspace.pixels);
  }
  if (record.solarized) {
    const Stopwatch watch = timed(workspace, &StageSeconds::colour);
    chain.solarize();
    chain.run();
  }
}

void paint_crop(image::Image& view, const CropRecord& record, CropWorkspace& workspace) {
  {
    const Stopwatch watch = timed(workspace, &StageSeconds::crop);
    resize_square(view, painted_size(record), workspace);
  }
  change_colors(view, record, workspace);
  if (!record.window) return;
  cut(view,
      {.left = record.window_left,
       .top = record.window_top,
       .width = record.size,
       .height = record.size},
      workspace.piece);
  std::swap(view, workspace.piece);
}

image::Image crop_base(const image::Image& source, const CropRecord& record) {
  CropWorkspace workspace;
  image::Image base;
  crop_unmirrored(source, record, base, workspace);
  if (record.flipped) image::flip_horizontal(base);
  return base;
}

image::Image paint_crop(image::Image base, const CropRecord& record) {
  CropWorkspace workspace;
  paint_crop(base, record, workspace);
  return base;
}

void change_colors(image::Image& view, const CropRecord& record) {
  CropWorkspace workspace;
  change_colors(view, record, workspace);
}

image::Image apply_crop(const image::Image& source, const CropRecord& record) {
  image::Image view = paint_crop(crop_base(source, record), record);
  return view.width == record.size ? view : image::resize(view, record.size, record.size);
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
    scale_.push_back(static_cast<float>(1 / (255 * std[c])));
    offset_.push_back(static_cast<float>(-mean[c] / std[c]));
    auto& table = tables_.emplace_back();
    for (std::size_t value = 0; value < table.size(); ++value)
      table[value] = std::fma(static_cast<float>(value), scale_[c], offset_[c]);
  }
}

image::Normalization Normalizer::of(const image::Image& source, bool mirrored) const {
  DINO_ASSERT(static_cast<std::size_t>(source.channels) == tables_.size());
  return {
      .source = &source, .mirrored = mirrored, .scale = scale_.data(), .offset = offset_.data()};
}

void Normalizer::operator()(const image::Image& source, float* out, bool mirrored) const {
  image::kernels().to_floats(of(source, mirrored), out);  // [C, H, W]
}

void Normalizer::operator()(const image::Image& source, std::uint16_t* out, bool mirrored) const {
  image::kernels().to_bfloats(of(source, mirrored), out);  // [C, H, W]
}

void Normalizer::operator()(const image::Image& source, std::uint8_t* out, bool mirrored) const {
  image::kernels().to_planes(of(source, mirrored), out);  // [C, H, W]
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
