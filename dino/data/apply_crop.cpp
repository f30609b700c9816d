// A drawn view made of pixels, in the reference's order: crop and resize, flip, colour jitter,
// grey, blur, solarise; then normalised to floats.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "dino/base/error.h"
#include "dino/data/multi_crop.h"
#include "dino/image/blur.h"
#include "dino/image/color.h"
#include "dino/image/resize.h"

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

/** The record's box scaled to size x size px. Not mirrored: that is left to whoever reads the view,
 * as no later step tells left from right. */
void crop_into(const image::Image& source, const CropRecord& record, int size, image::Image& out,
               CropWorkspace& workspace) {
  const Stopwatch watch = timed(workspace, &StageSeconds::crop);
  const bool inside = record.left >= 0 && record.top >= 0 &&
                      record.left + record.width <= source.width &&
                      record.top + record.height <= source.height;
  if (!inside) cut(source, record, workspace.piece);
  const image::ImageView view =
      inside ? image::ImageView(source, record.left, record.top, record.width, record.height)
             : image::ImageView(workspace.piece);
  const image::Box all{0, 0, static_cast<float>(view.width), static_cast<float>(view.height)};
  image::resize_into(view, all, size, size, image::Filter::Bicubic, out, workspace.pixels);
}

void jitter(image::ColourChain& chain, const CropRecord& record) {
  for (const int step : record.order) {
    if (step == 0) chain.brightness(record.brightness);
    if (step == 1) chain.contrast(record.contrast);
    if (step == 2) chain.saturation(record.saturation);
    if (step == 3) chain.hue(record.hue);
  }
}

void change_colours(image::Image& view, const CropRecord& record, CropWorkspace& workspace) {
  image::ColourChain chain(view, *workspace.pixels.kernels);
  if (record.jittered || record.grayscaled) {
    const Stopwatch watch = timed(workspace, &StageSeconds::colour);
    if (record.jittered) jitter(chain, record);
    if (record.grayscaled) chain.grayscale();
    if (record.blurred || !record.solarized) chain.run();
  }
  if (record.blurred) {
    const Stopwatch watch = timed(workspace, &StageSeconds::blur);
    image::gaussian_blur(view, record.blur_radius, workspace.pixels);
  }
  if (record.solarized) {
    const Stopwatch watch = timed(workspace, &StageSeconds::colour);
    chain.solarize();
    chain.run();
  }
}

}  // namespace

image::Image apply_crop(const image::Image& source, const CropRecord& record) {
  CropWorkspace workspace;
  crop_into(source, record, record.size, workspace.view, workspace);
  change_colours(workspace.view, record, workspace);
  if (record.flipped) image::flip_horizontal(workspace.view);
  return std::move(workspace.view);
}

void write_crop(const image::Image& source, const CropRecord& record, const Normalizer& normalizer,
                float* out, CropWorkspace& workspace) {
  crop_into(source, record, record.size, workspace.view, workspace);
  change_colours(workspace.view, record, workspace);
  const Stopwatch watch = timed(workspace, &StageSeconds::normalize);
  normalizer(workspace.view, out, record.flipped);
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

void normalize(const image::Image& source, const MultiCropOptions& options, float* out) {
  Normalizer{options}(source, out);
}

}  // namespace dino::data
