#include "dino/data/prepare/normalizer.h"

#include <algorithm>
#include <cmath>

#include "dino/base/bfloat16.h"
#include "dino/base/error.h"
#include "dino/image/pixels/planes_ops.h"
#include "dino/image/pixels/resize_float.h"

namespace dino::data {

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
  (*this)(image::resize_crop(
              source, {0, 0, static_cast<float>(source.width), static_cast<float>(source.height)},
              size, size),
          out);
}

}  // namespace dino::data
