// Makes a drawn view from pixels, in the reference's order: crop and resize, flip, color jitter,
// gray, blur, solarize; then normalized to floats. DINOv3's Gram crops add a second resize, before
// the colors or after them.
#include <algorithm>
#include <cmath>
#include <utility>

#include "dino/base/bfloat16.h"
#include "dino/base/error.h"
#include "dino/data/crops/multi_crop.h"
#include "dino/image/pixels/blur.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/planes_ops.h"
#include "dino/image/pixels/resize.h"
#include "dino/image/pixels/resize_float.h"
#include "dino/image/pixels/tap_blur.h"

namespace dino::data {
namespace {

/** The columns and rows of a box, in px of the box, that lie inside the image. */
struct Inside {
  int left = 0, right = 0, top = 0, bottom = 0;
};
Inside inside(const CropRecord& box, int width, int height) {
  Inside in{.left = std::clamp(-box.left, 0, box.width),
            .top = std::clamp(-box.top, 0, box.height)};
  in.right = std::clamp(width - box.left, in.left, box.width);
  in.bottom = std::clamp(height - box.top, in.top, box.height);
  return in;
}

/** The pixels of the record's box; zeros where it reaches outside the image. The reference cuts
 * before it resizes, so the resize must not see pixels outside the box. */
void cut(const image::Image& source, const CropRecord& box, image::Image& out) {
  out.reshape(box.width, box.height, source.channels);
  std::ranges::fill(out.pixels, std::uint8_t{0});
  const Inside in = inside(box, source.width, source.height);
  for (int y = in.top; y < in.bottom; ++y)
    std::copy_n(source.row(box.top + y) + (box.left + in.left) * source.channels,
                (in.right - in.left) * source.channels, out.row(y) + in.left * source.channels);
}

void cut(const image::Planes& source, const CropRecord& box, image::Planes& out) {
  out.reshape(box.width, box.height, source.channels);
  std::ranges::fill(out.values, 0.0F);
  const Inside in = inside(box, source.width, source.height);
  for (int c = 0; c < source.channels; ++c)
    for (int y = in.top; y < in.bottom; ++y)
      std::copy_n(source.row(c, box.top + y) + (box.left + in.left), in.right - in.left,
                  out.row(c, y) + in.left);
}

int painted_size(const CropRecord& record) {
  return record.painted_size > 0 ? record.painted_size : record.size;
}

template <typename Source>
image::Box whole(const Source& source) {
  return {0, 0, static_cast<float>(source.width), static_cast<float>(source.height)};
}

void resize_square(const image::ImageView& source, int size, image::Image& out,
                   CropWorkspace& workspace) {
  image::resize_into(source, whole(source), size, size, image::Filter::Bicubic, out,
                     workspace.pixels);
}

void resize_square(const image::Planes& source, int size, image::Planes& out, CropWorkspace&) {
  out = image::resize_crop(source, whole(source), size, size);
}

/** Resizes the view itself. */
template <typename Pixels>
void resize_view(Pixels& view, int size, CropWorkspace& workspace) {
  if (view.width == size) return;
  Pixels& piece = workspace.room<Pixels>().piece;
  resize_square(view, size, piece, workspace);
  std::swap(view, piece);
}

template <typename Pixels>
void crop_outlying(const Pixels& source, const CropRecord& record, int size, Pixels& base,
                   CropWorkspace& workspace) {
  Pixels& piece = workspace.room<Pixels>().piece;
  cut(source, record, piece);
  resize_square(piece, size, base, workspace);
}

template <typename Pixels>
void paint(Pixels& view, const CropRecord& record, CropWorkspace& workspace) {
  {
    const Stopwatch watch = timed(workspace, &StageSeconds::crop);
    resize_view(view, painted_size(record), workspace);
  }
  change_colors(view, record, workspace);
  if (!record.window) return;
  Pixels& piece = workspace.room<Pixels>().piece;
  cut(view,
      {.left = record.window_left,
       .top = record.window_top,
       .width = record.size,
       .height = record.size},
      piece);
  std::swap(view, piece);
}

void jitter(image::ColorChain& chain, const CropRecord& record) {
  for (const int step : record.order) {
    if (step == 0) chain.brightness(record.brightness);
    if (step == 1) chain.contrast(record.contrast);
    if (step == 2) chain.saturation(record.saturation);
    if (step == 3) chain.hue(record.hue);
  }
}

void jitter(image::Planes& planes, const CropRecord& record) {
  for (const int step : record.order) {
    if (step == 0) image::adjust_brightness(planes, record.brightness);
    if (step == 1) image::adjust_contrast(planes, record.contrast);
    if (step == 2) image::adjust_saturation(planes, record.saturation);
    if (step == 3) image::adjust_hue(planes, record.hue);
  }
}

int base_size(const CropRecord& record) {
  return record.base_size > 0 ? record.base_size : painted_size(record);
}

}  // namespace

void crop_unmirrored(const image::Image& source, const CropRecord& record, image::Image& base,
                     CropWorkspace& workspace) {
  const Stopwatch watch = timed(workspace, &StageSeconds::crop);
  const bool inside = record.left >= 0 && record.top >= 0 &&
                      record.left + record.width <= source.width &&
                      record.top + record.height <= source.height;
  if (inside) {
    const image::ImageView view(source, record.left, record.top, record.width, record.height);
    return resize_square(view, base_size(record), base, workspace);
  }
  crop_outlying(source, record, base_size(record), base, workspace);
}

void crop_unmirrored(const image::Planes& source, const CropRecord& record, image::Planes& base,
                     CropWorkspace& workspace) {
  const Stopwatch watch = timed(workspace, &StageSeconds::crop);
  crop_outlying(source, record, base_size(record), base, workspace);
}

void change_colors(image::Image& view, const CropRecord& record, CropWorkspace& workspace) {
  image::ColorChain chain(view, *workspace.pixels.kernels);
  if (record.jittered || record.grayscaled) {
    const Stopwatch watch = timed(workspace, &StageSeconds::color);
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
    const Stopwatch watch = timed(workspace, &StageSeconds::color);
    chain.solarize();
    chain.run();
  }
}

void change_colors(image::Planes& view, const CropRecord& record, CropWorkspace& workspace) {
  {
    const Stopwatch watch = timed(workspace, &StageSeconds::color);
    if (record.jittered) jitter(view, record);
    if (record.grayscaled) image::to_grayscale(view);
  }
  if (record.blurred) {
    const Stopwatch watch = timed(workspace, &StageSeconds::blur);
    if (record.blur_kernel > 0)
      image::gaussian_blur_taps(view, record.blur_radius, record.blur_kernel);
    else
      image::gaussian_blur(view, record.blur_radius);
  }
  if (record.solarized) {
    const Stopwatch watch = timed(workspace, &StageSeconds::color);
    image::solarize(view);
  }
}

void paint_crop(image::Image& view, const CropRecord& record, CropWorkspace& workspace) {
  paint(view, record, workspace);
}

void paint_crop(image::Planes& view, const CropRecord& record, CropWorkspace& workspace) {
  paint(view, record, workspace);
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

void Normalizer::operator()(const image::Planes& source, float* out, bool mirrored) const {
  DINO_ASSERT(static_cast<std::size_t>(source.channels) == mean_.size());
  const auto width = static_cast<std::size_t>(source.width);
  for (std::size_t c = 0; c < mean_.size(); ++c) {
    const auto mean = static_cast<float>(mean_[c]), scale = static_cast<float>(1 / std_[c]);
    const float* in = source.plane(static_cast<int>(c));
    for (int y = 0; y < source.height; ++y, in += width, out += width) {
      for (std::size_t x = 0; x < width; ++x) out[x] = (in[x] - mean) * scale;  // [C, H, W]
      if (mirrored) std::reverse(out, out + width);
    }
  }
}

void Normalizer::operator()(const image::Planes& source, std::uint16_t* out, bool mirrored) const {
  std::vector<float> values(source.values.size());
  (*this)(source, values.data(), mirrored);
  std::ranges::transform(values, out, to_bfloat16);
}

void Normalizer::resized(const image::Image& source, int size, float* out) const {
  (*this)(image::resize_to_floats(source, size, size, image::Filter::Bicubic), out);
}

void Normalizer::resized(const image::Planes& source, int size, float* out) const {
  (*this)(image::resize_crop(source, whole(source), size, size), out);
}

void normalize(const image::Image& source, const MultiCropOptions& options, float* out) {
  Normalizer{options}(source, out);
}

}  // namespace dino::data
