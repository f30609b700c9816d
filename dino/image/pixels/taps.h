// The weights ("taps") of separable antialiased resampling: which input samples contribute to an
// output sample, and by how much. Pillow (8 bits) and PyTorch (floats, antialias=True) use the same
// ones.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include "dino/image/pixels/filter.h"

namespace dino::image {

/** The weights of one axis: output i is the weighted sum of the `count[i]` inputs from `first[i]`
 * on. */
template <typename Weight>
struct Taps {
  int stride = 0;  ///< weights stored per output; those from `count` on are undefined
  std::vector<int> first;
  std::vector<int> count;
  std::vector<Weight> weights;  // [positions, stride]
  std::vector<double> values;   // [stride] scratch of fill_taps()

  const Weight* weights_of(int i) const {
    return weights.data() + static_cast<std::ptrdiff_t>(i) * stride;
  }
  int begin() const { return first.front(); }
  int end() const { return first.back() + count.back(); }
};

namespace taps_detail {

constexpr int kTapGroup = 4;

inline double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/** Keys' cubic with a = -0.5, written so that it rounds as Pillow's does. */
inline double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  const double inner = ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  const double outer = (((x - 5) * x + 8) * x - 4) * a;
  return x < 1.0 ? inner : x < 2.0 ? outer : 0.0;  // no branches, so that it is vectorized
}

inline double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

inline double lanczos(double x) {
  return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

template <typename Weight, typename Kernel, typename Convert>
void fill(Taps<Weight>& taps, int in_size, float from, float to, int out_size, double radius,
          Kernel kernel, Convert convert) {
  const double scale = static_cast<double>(to - from) / out_size;
  const double stretch = std::max(scale, 1.0);  // the filter widens only when shrinking
  const double inverse_stretch = 1.0 / stretch;
  const double support = radius * stretch;

  taps.stride =
      (static_cast<int>(std::ceil(support)) * 2 + 1 + kTapGroup - 1) / kTapGroup * kTapGroup;
  const auto positions = static_cast<std::size_t>(out_size);
  taps.first.resize(positions);
  taps.count.resize(positions);
  taps.weights.resize(positions * static_cast<std::size_t>(taps.stride));
  taps.values.resize(static_cast<std::size_t>(taps.stride));
  double* const values = taps.values.data();
  for (int i = 0; i < out_size; ++i) {
    const double center = from + (i + 0.5) * scale;
    const int begin = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = std::min(static_cast<int>(center + support + 0.5), in_size);
    const int count = end - begin;
    const int padded = (count + kTapGroup - 1) / kTapGroup * kTapGroup;  // whole vectors
    for (int k = 0; k < padded; ++k)
      values[k] = kernel((k + begin - center + 0.5) * inverse_stretch);
    double sum = 0.0;
    for (int k = 0; k < count; ++k) sum += values[k];
    if (sum == 0.0) sum = 1.0;
    Weight* weights =
        taps.weights.data() + static_cast<std::size_t>(i) * static_cast<std::size_t>(taps.stride);
    for (int k = 0; k < padded; ++k) weights[k] = convert(values[k] / sum);
    taps.first[static_cast<std::size_t>(i)] = begin;
    taps.count[static_cast<std::size_t>(i)] = count;
  }
}

}  // namespace taps_detail

/** For each of `out_size` outputs over [from, to), the index of the input at its center, as
 * Pillow's nearest filter computes it. */
inline std::vector<int> nearest_positions(int in_size, float from, float to, int out_size) {
  std::vector<int> at(static_cast<std::size_t>(out_size));
  const double step = static_cast<double>(to - from) / out_size;
  double position = from + step * 0.5;
  for (int& p : at) {
    p = std::min(static_cast<int>(position), in_size - 1);
    position += step;
  }
  return at;
}

/** Computes the taps that map [from, to) of `in_size` inputs to `out_size` outputs; `convert`
 * converts a double to Weight. Not for Filter::Nearest, which has no weights. Reuses the memory of
 * `taps`. */
template <typename Weight, typename Convert>
void fill_taps(Taps<Weight>& taps, int in_size, float from, float to, int out_size, Filter filter,
               Convert convert) {
  // Lambdas are passed so that the compiler can inline the kernel into the loops.
  const auto fill_with = [&](double radius, auto kernel) {
    taps_detail::fill(taps, in_size, from, to, out_size, radius, kernel, convert);
  };
  if (filter == Filter::Bilinear)
    fill_with(1.0, [](double x) { return taps_detail::bilinear(x); });
  else if (filter == Filter::Lanczos)
    fill_with(3.0, [](double x) { return taps_detail::lanczos(x); });
  else
    fill_with(2.0, [](double x) { return taps_detail::bicubic(x); });
}

/** As fill_taps(), returning new taps. */
template <typename Weight, typename Convert>
Taps<Weight> make_taps(int in_size, float from, float to, int out_size, Filter filter,
                       Convert convert) {
  Taps<Weight> taps;
  fill_taps(taps, in_size, from, to, out_size, filter, convert);
  return taps;
}

}  // namespace dino::image
