// gaussian_blur_taps() of 8-bit images and of planes. Row by row: a weighted sum of source rows
// along y, then of its own columns along x. Floats in between, rounded once, as the reference
// rounds once.
#include "dino/image/pixels/tap_blur.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/pixels/planes_ops.h"
#include "dino/image/pixels/simd.h"

namespace dino::image {
namespace {

using simd::Floats8;
using simd::Ints8;

constexpr std::size_t kLanes = 8;

Floats8 load_floats(const float* from) {
  Floats8 values;
  std::memcpy(&values, from, sizeof values);
  return values;
}

/** The kernel is symmetric: its center, then the weights at distance 1, 2, ... */
std::vector<float> half_kernel(double sigma, int taps) {
  std::vector<double> weights(static_cast<std::size_t>(taps / 2) + 1);
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double distance = static_cast<double>(i) / sigma;
    weights[i] = std::exp(-0.5 * distance * distance);
    sum += (i == 0 ? 1 : 2) * weights[i];
  }
  std::vector<float> kernel;
  for (const double weight : weights) kernel.push_back(static_cast<float>(weight / sum));
  return kernel;
}

/** Position `i` of an axis of `size`, mirrored back inside; |i| may exceed it by size - 1. */
int mirrored(int i, int size) {
  if (i < 0) return -i;
  return i < size ? i : 2 * (size - 1) - i;
}

void check_blur(double sigma, int taps, int width, int height) {
  if (taps < 1 || taps % 2 == 0)
    fail(ErrorKind::Usage, "[blur] the number of taps must be odd and positive: {}", taps);
  if (!(sigma > 0) || !std::isfinite(sigma))
    fail(ErrorKind::Usage, "[blur] the standard deviation must be positive: {}", sigma);
  if (width <= taps / 2 || height <= taps / 2)
    fail(ErrorKind::Usage, "[blur] {} taps need an image of more than {} px on each side: {} x {}",
         taps, taps / 2, width, height);
}

/** to[x] += weight * (before[x] + after[x]). */
void add_pair(const float* before, const float* after, float weight, int size, float* to) {
  for (int x = 0; x < size; ++x) to[x] += weight * (before[x] + after[x]);
}

}  // namespace

void gaussian_blur_taps(Planes& planes, double sigma, int taps) {
  check_blur(sigma, taps, planes.width, planes.height);
  const std::vector<float> kernel = half_kernel(sigma, taps);
  const int reach = taps / 2, width = planes.width, height = planes.height;
  // The center counts once but is added twice.
  const auto weight = [&](int k) {
    return kernel[static_cast<std::size_t>(k)] * (k == 0 ? 0.5F : 1.0F);
  };
  std::vector<float> line(static_cast<std::size_t>(width + 2 * reach));
  float* const middle = line.data() + reach;
  std::vector<float> source(planes.plane_size());
  for (int c = 0; c < planes.channels; ++c) {
    std::copy_n(planes.plane(c), source.size(), source.data());
    for (int y = 0; y < height; ++y) {
      const auto row = [&](int at) { return source.data() + mirrored(at, height) * width; };
      std::fill_n(middle, width, 0.0F);
      for (int k = 0; k <= reach; ++k) add_pair(row(y - k), row(y + k), weight(k), width, middle);
      for (int k = 1; k <= reach; ++k) {
        middle[-k] = middle[k];
        middle[width - 1 + k] = middle[width - 1 - k];
      }
      float* out = planes.row(c, y);
      std::fill_n(out, width, 0.0F);
      for (int k = 0; k <= reach; ++k) add_pair(middle - k, middle + k, weight(k), width, out);
    }
  }
}

void gaussian_blur_taps(Image& image, double sigma, int taps) {
  check_blur(sigma, taps, image.width, image.height);
  const int reach = taps / 2;
  const std::vector<float> kernel = half_kernel(sigma, taps);
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t row_bytes = image.row_bytes();
  const std::size_t margin = static_cast<std::size_t>(reach) * channels;
  const std::size_t padded = (row_bytes + kLanes - 1) / kLanes * kLanes;

  // Rows padded to whole vectors; the image itself takes the result.
  std::vector<std::uint8_t> source(static_cast<std::size_t>(image.height) * padded + kLanes);
  const auto row_at = [&](int y) {
    return source.data() + static_cast<std::size_t>(mirrored(y, image.height)) * padded;
  };
  for (int y = 0; y < image.height; ++y) std::copy_n(image.row(y), row_bytes, row_at(y));
  std::vector<float> line(margin + padded + margin + kLanes);
  float* const middle = line.data() + margin;
  std::vector<std::uint8_t> out(padded);

  for (int y = 0; y < image.height; ++y) {
    for (std::size_t x = 0; x < padded; x += kLanes) {
      Floats8 sum = __builtin_convertvector(simd::load_ints(row_at(y) + x), Floats8) * kernel[0];
      for (int k = 1; k <= reach; ++k)
        sum +=
            __builtin_convertvector(
                simd::load_ints(row_at(y - k) + x) + simd::load_ints(row_at(y + k) + x), Floats8) *
            kernel[static_cast<std::size_t>(k)];
      std::memcpy(middle + x, &sum, sizeof sum);
    }
    for (int k = 1; k <= reach; ++k) {
      const auto from = static_cast<std::size_t>(k) * channels;
      std::copy_n(middle + from, channels, middle - from);
      std::copy_n(middle + row_bytes - from - channels, channels,
                  middle + row_bytes + from - channels);
    }
    for (std::size_t x = 0; x < padded; x += kLanes) {
      Floats8 sum = load_floats(middle + x) * kernel[0];
      for (int k = 1; k <= reach; ++k) {
        const std::size_t step = static_cast<std::size_t>(k) * channels;
        sum += (load_floats(middle + x - step) + load_floats(middle + x + step)) *
               kernel[static_cast<std::size_t>(k)];
      }
      simd::store_bytes(__builtin_convertvector(sum + 0.5f, Ints8), out.data() + x);
    }
    std::copy_n(out.data(), row_bytes, image.row(y));
  }
}

}  // namespace dino::image
