#include "dino/data/scenes/background.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/pixels/resize.h"

namespace dino::data {
namespace {

using Color = std::array<double, 3>;  // 0 to 255

Color draw_color(Rng& rng) {
  Color color{};
  for (double& level : color) level = rng.uniform(0, 255);
  return color;
}

/** Fills the image with `first` where mix(x, y) is 0, `second` where it is 1; x and y in [0, 1). */
image::Image mixture_of(int side, const Color& first, const Color& second,
                        const std::function<double(double, double)>& mix) {
  image::Image image(side, side, 3);
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const double share = std::clamp(mix((x + 0.5) / side, (y + 0.5) / side), 0.0, 1.0);
      for (std::size_t c = 0; c < 3; ++c)
        image.row(y)[3 * static_cast<std::size_t>(x) + c] =
            static_cast<std::uint8_t>(std::lround(first[c] + share * (second[c] - first[c])));
    }
  return image;
}

/** Smooth random values in [0, 1] on the unit square: a lattice of cells x cells, interpolated. */
class ValueNoise {
 public:
  ValueNoise(std::size_t cells, Rng& rng) : cells_(cells), lattice_((cells + 1) * (cells + 1)) {
    for (double& value : lattice_) value = rng.uniform();
  }

  double operator()(double x, double y) const {
    const auto cell = [this](double at) {
      return std::min(static_cast<std::size_t>(at * static_cast<double>(cells_)), cells_ - 1);
    };
    const std::size_t column = cell(x), row = cell(y);
    const auto smooth = [this](double at, std::size_t start) {
      const double t = at * static_cast<double>(cells_) - static_cast<double>(start);
      return t * t * (3 - 2 * t);
    };
    const double u = smooth(x, column), v = smooth(y, row);
    const double* top = lattice_.data() + row * (cells_ + 1) + column;
    const double* bottom = top + cells_ + 1;
    return std::lerp(std::lerp(top[0], top[1], u), std::lerp(bottom[0], bottom[1], u), v);
  }

 private:
  std::size_t cells_;
  std::vector<double> lattice_;
};

/** Noise of four scales, each of half the size and strength of the one before. */
class Turbulence {
 public:
  explicit Turbulence(Rng& rng) {
    const std::size_t cells = 1 + rng.below(8);
    for (std::size_t octave = 0; octave < 4; ++octave) octaves_.emplace_back(cells << octave, rng);
  }

  double operator()(double x, double y) const {
    double sum = 0, strength = 8.0 / 15;
    for (const ValueNoise& octave : octaves_) {
      sum += strength * octave(x, y);
      strength /= 2;
    }
    return sum;
  }

 private:
  std::vector<ValueNoise> octaves_;
};

image::Image draw_gradient(int side, Rng& rng) {
  const Color first = draw_color(rng), second = draw_color(rng);
  const double angle = rng.uniform(0, 2 * std::numbers::pi);
  const double right = std::cos(angle), down = std::sin(angle);
  return mixture_of(side, first, second, [=](double x, double y) {
    return 0.5 + ((x - 0.5) * right + (y - 0.5) * down) / std::numbers::sqrt2;
  });
}

image::Image draw_noise(int side, Rng& rng) {
  const Color first = draw_color(rng), second = draw_color(rng);
  const Turbulence noise(rng);
  const double contrast = rng.uniform(1, 4);
  return mixture_of(side, first, second,
                    [&](double x, double y) { return 0.5 + contrast * (noise(x, y) - 0.5); });
}

/** Waves bent by noise: wood, water, marble. */
image::Image draw_stripes(int side, Rng& rng) {
  const Color first = draw_color(rng), second = draw_color(rng);
  const Turbulence noise(rng);
  const double angle = rng.uniform(0, 2 * std::numbers::pi), waves = rng.uniform(2, 16),
               bend = rng.uniform(0, 1);
  const double right = std::cos(angle), down = std::sin(angle);
  return mixture_of(side, first, second, [&](double x, double y) {
    const double phase = x * right + y * down + bend * noise(x, y);
    return 0.5 + 0.5 * std::sin(2 * std::numbers::pi * waves * phase);
  });
}

/** A square of half the short side of the photograph up to all of it, anywhere. */
image::Image draw_region(const image::Image& photograph, int side, Rng& rng) {
  const double length =
      rng.uniform(0.5, 1) * static_cast<double>(std::min(photograph.width, photograph.height));
  const auto square = static_cast<float>(std::max(1.0, std::floor(length)));
  const auto corner = [&](int extent) {
    return std::floor(static_cast<float>(rng.uniform()) * (static_cast<float>(extent) - square));
  };
  const float left = corner(photograph.width), top = corner(photograph.height);
  return image::resize_crop(photograph, {left, top, left + square, top + square}, side, side);
}

}  // namespace

Background draw_background(int side_px, const Photographs& photographs, Rng& rng) {
  bool unreadable = false;
  if (!photographs.indices.empty() && rng.bernoulli(0.5)) try {
      const std::int64_t index = photographs.indices[rng.below(photographs.indices.size())];
      return {draw_region(photographs.images->load(index), side_px, rng), "photograph"};
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
      unreadable = true;
    }
  switch (rng.below(4)) {
    case 0: {
      const Color color = draw_color(rng);
      return {mixture_of(side_px, color, color, [](double, double) { return 0.0; }), "plain",
              unreadable};
    }
    case 1:
      return {draw_gradient(side_px, rng), "gradient", unreadable};
    case 2:
      return {draw_noise(side_px, rng), "noise", unreadable};
    default:
      return {draw_stripes(side_px, rng), "stripes", unreadable};
  }
}

}  // namespace dino::data
