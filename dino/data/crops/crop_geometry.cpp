#include "dino/data/crops/crop_geometry.h"

#include <cmath>

#include "dino/base/rounding.h"

namespace dino::data {
namespace {

constexpr double kNarrowest = 3.0 / 4.0, kWidest = 4.0 / 3.0;  // width / height

CropBox largest_centered(int width, int height) {
  const double ratio = static_cast<double>(width) / height;
  CropBox box{.width = width, .height = height};
  if (ratio < kNarrowest) box.height = round_to_even(width / kNarrowest);
  if (ratio > kWidest) box.width = round_to_even(height * kWidest);
  box.left = (width - box.width) / 2;
  box.top = (height - box.height) / 2;
  return box;
}

}  // namespace

CropBox random_resized_crop(int width, int height, const std::array<double, 2>& scale, Rng& rng) {
  constexpr int kTries = 10;
  const double area = static_cast<double>(width) * height;
  const double log_narrowest = std::log(kNarrowest), log_widest = std::log(kWidest);
  for (int i = 0; i < kTries; ++i) {
    const double target = area * rng.uniform(scale[0], scale[1]);
    const double ratio = std::exp(rng.uniform(log_narrowest, log_widest));
    CropBox box{.width = round_to_even(std::sqrt(target * ratio)),
                .height = round_to_even(std::sqrt(target / ratio))};
    if (box.width < 1 || box.width > width || box.height < 1 || box.height > height) continue;
    box.top = static_cast<int>(rng.below(static_cast<std::uint64_t>(height - box.height) + 1));
    box.left = static_cast<int>(rng.below(static_cast<std::uint64_t>(width - box.width) + 1));
    return box;
  }
  return largest_centered(width, height);
}

}  // namespace dino::data
