#include "dino/image/pixels/planes_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "dino/base/error.h"
#include "dino/image/pixels/box_blur.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/taps.h"

namespace dino::image {
namespace {

using FloatTaps = Taps<float>;

struct Range {
  float low = 0, high = 1;

  float cut(float value) const {
    value = value < low ? low : value;
    return value > high ? high : value;
  }
};

/** The union of [0, 1] and the range of the samples; NaN is ignored. */
Range range_of(const Planes& planes) {
  constexpr std::size_t kLanes = 16;  // partial results: one would be a chain of dependent steps
  std::array<float, kLanes> low{}, high;
  high.fill(1);
  const float* values = planes.values.data();
  const std::size_t size = planes.values.size();
  for (std::size_t i = 0; i + kLanes <= size; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[i + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  Range range{std::ranges::min(low), std::ranges::max(high)};
  for (std::size_t i = size / kLanes * kLanes; i < size; ++i) {
    range.low = values[i] < range.low ? values[i] : range.low;
    range.high = values[i] > range.high ? values[i] : range.high;
  }
  return range;
}

float largest(float a, float b) {
  return a > b ? a : b;
}

FloatTaps taps_for(int in_size, float from, float to, int out_size, Filter filter) {
  return make_taps<float>(in_size, from, to, out_size, filter,
                          [](double weight) { return static_cast<float>(weight); });
}

FloatTaps nearest_taps(int in_size, float from, float to, int out_size) {
  const auto positions = static_cast<std::size_t>(out_size);
  return {.stride = 1,
          .first = nearest_positions(in_size, from, to, out_size),
          .count = std::vector<int>(positions, 1),
          .weights = std::vector<float>(positions, 1.0F),
          .values = {}};
}

/** Rows [begin, end) scaled along x, the others left empty: eight rows at a time, turned on their
 * side, so that sums are of vectors. */
Planes scale_across(const Planes& source, const FloatTaps& taps, Range range, int begin, int end) {
  constexpr int kRows = 8;
  Planes out(static_cast<int>(taps.first.size()), source.height, source.channels);
  const int left = taps.begin();
  std::vector<float> turned(static_cast<std::size_t>((taps.end() - left) * kRows));
  for (int c = 0; c < source.channels; ++c)
    for (int y = begin; y < end; y += kRows) {
      for (int r = 0; r < kRows; ++r) {
        const float* row = source.row(c, std::min(y + r, end - 1));
        float* to = turned.data() + r;
        for (int x = left; x < taps.end(); ++x, to += kRows) *to = row[x];
      }
      for (int x = 0; x < out.width; ++x) {
        const auto i = static_cast<std::size_t>(x);
        const float* weights = taps.weights_of(x);
        const float* in = turned.data() + (taps.first[i] - left) * kRows;
        float sums[kRows] = {};
        for (int k = 0; k < taps.count[i]; ++k, in += kRows)
          for (int r = 0; r < kRows; ++r) sums[r] += weights[k] * in[r];
        for (int r = 0; r < std::min(kRows, end - y); ++r)
          out.row(c, y + r)[x] = range.cut(sums[r]);
      }
    }
  return out;
}

Planes scale_down(const Planes& source, const FloatTaps& taps, Range range) {
  Planes out(source.width, static_cast<int>(taps.first.size()), source.channels);
  for (int c = 0; c < source.channels; ++c)
    for (int y = 0; y < out.height; ++y) {
      const auto i = static_cast<std::size_t>(y);
      float* to = out.row(c, y);
      for (int k = 0; k < taps.count[i]; ++k) {
        const float* row = source.row(c, taps.first[i] + k);
        const float weight = taps.weights_of(y)[k];
        for (int x = 0; x < out.width; ++x) to[x] += weight * row[x];
      }
      for (int x = 0; x < out.width; ++x) to[x] = range.cut(to[x]);
    }
  return out;
}

/** One box blur of `lines` [size, width] along the first axis into `out`. */
void blur_once(const std::vector<float>& lines, std::size_t width, int size, float radius,
               std::vector<double>& sums, std::vector<float>& out) {
  const int whole = static_cast<int>(radius);
  const auto inner = 1.0 / (2.0 * static_cast<double>(radius) + 1.0);
  const double outer = (1.0 - (2 * whole + 1) * inner) / 2;
  const auto row = [&](int i) {
    return lines.data() + static_cast<std::size_t>(std::clamp(i, 0, size - 1)) * width;
  };
  std::fill(sums.begin(), sums.end(), 0.0);
  for (int i = -whole - 1; i < whole; ++i)
    for (std::size_t x = 0; x < width; ++x) sums[x] += row(i)[x];
  for (int i = 0; i < size; ++i) {
    const float *leaving = row(i - whole - 1), *entering = row(i + whole),
                *next = row(i + whole + 1);
    float* to = out.data() + static_cast<std::size_t>(i) * width;
    for (std::size_t x = 0; x < width; ++x) {
      sums[x] += static_cast<double>(entering[x]) - static_cast<double>(leaving[x]);
      to[x] =
          static_cast<float>(sums[x] * inner + (static_cast<double>(leaving[x]) + next[x]) * outer);
    }
  }
}

std::vector<float> transposed(const std::vector<float>& values, std::size_t rows) {
  const std::size_t columns = values.size() / rows;
  std::vector<float> out(values.size());
  for (std::size_t y = 0; y < rows; ++y)
    for (std::size_t x = 0; x < columns; ++x) out[x * rows + y] = values[y * columns + x];
  return out;
}

/** change(red, green, blue) for each pixel of three planes. */
template <typename Change>
void for_each_color(Planes& planes, const Change& change) {
  float *red = planes.plane(0), *green = planes.plane(1), *blue = planes.plane(2);
  for (std::size_t i = 0; i < planes.plane_size(); ++i) change(red[i], green[i], blue[i]);
}

void blur_lines(std::vector<float>& lines, int size, float radius) {
  const std::size_t width = lines.size() / static_cast<std::size_t>(size);
  std::vector<float> other(lines.size());
  std::vector<double> sums(width);
  for (int pass = 0; pass < kBoxBlurs; ++pass) {
    blur_once(lines, width, size, radius, sums, other);
    std::swap(lines, other);
  }
}

}  // namespace

Planes resize_crop(const Planes& source, Box box, int width, int height, Filter filter) {
  if (source.empty()) fail(ErrorKind::Usage, "[resize] the image is empty");
  check_resize(source.width, source.height, box, width, height);
  const bool nearest = filter == Filter::Nearest;
  const auto taps = [&](int in_size, float from, float to, int out_size) {
    return nearest ? nearest_taps(in_size, from, to, out_size)
                   : taps_for(in_size, from, to, out_size, filter);
  };
  const FloatTaps across = taps(source.width, box.left, box.right, width);
  const FloatTaps down = taps(source.height, box.top, box.bottom, height);
  const Range range = range_of(source);
  if (takes_rows_first(source.width, source.height, width, height))
    return scale_across(scale_down(source, down, range), across, range, 0, height);
  return scale_down(scale_across(source, across, range, down.begin(), down.end()), down, range);
}

void flip_horizontal(Planes& planes) {
  for (int c = 0; c < planes.channels; ++c)
    for (int y = 0; y < planes.height; ++y)
      std::reverse(planes.row(c, y), planes.row(c, y) + planes.width);
}

void adjust_brightness(Planes& planes, double factor) {
  const float share = checked_factor(factor, "brightness");
  const Range range = range_of(planes);
  for (float& value : planes.values) value = range.cut(value * share);
}

void adjust_contrast(Planes& planes, double factor) {
  const float share = checked_factor(factor, "contrast");
  if (planes.empty()) return;
  const Range range = range_of(planes);
  const std::size_t size = planes.plane_size();
  std::vector<float> means;
  for (int c = 0; c < planes.channels; ++c) {
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += planes.plane(c)[i];
    means.push_back(static_cast<float>(sum / static_cast<double>(size)));
  }
  if (planes.channels == 3) means.assign(3, luma(means[0], means[1], means[2]));
  for (int c = 0; c < planes.channels; ++c) {
    const float mean = means[static_cast<std::size_t>(c)];
    for (std::size_t i = 0; i < size; ++i) {
      float& value = planes.plane(c)[i];
      value = range.cut(mean + (value - mean) * share);
    }
  }
}

void adjust_saturation(Planes& planes, double factor) {
  const float share = checked_factor(factor, "saturation");
  if (planes.channels != 3) return;
  const Range range = range_of(planes);
  for_each_color(planes, [&](float& red, float& green, float& blue) {
    const float gray = luma(red, green, blue);
    for (float* value : {&red, &green, &blue}) *value = range.cut(gray + (*value - gray) * share);
  });
}

void adjust_hue(Planes& planes, double turns) {
  check_turns(turns);
  if (planes.channels != 3) return;
  const Range range = range_of(planes);
  constexpr Range unit;
  const auto shift = static_cast<float>(6 * turns);  // in sixths of the circle, as hues below
  for_each_color(planes, [&](float& red, float& green, float& blue) {
    const float high = largest(red, largest(green, blue));
    const float low = -largest(-red, largest(-green, -blue));
    const float chroma = high - low;
    const float share = chroma > 0 ? 1 / chroma : 0;
    float hue = 4 + (red - green) * share;
    hue = high == green ? 2 + (blue - red) * share : hue;
    hue = high == red ? (green - blue) * share : hue;
    hue += shift;
    // A channel falls by the chroma over one sixth, stays low for two, and rises again.
    const auto channel = [&](float offset) {
      float k = hue + offset;
      k -= 6 * std::floor(k * (1.0F / 6));
      const float fall = k < 4 - k ? k : 4 - k;
      return range.cut(high - chroma * unit.cut(fall));
    };
    red = channel(5);
    green = channel(3);
    blue = channel(1);
  });
}

void to_grayscale(Planes& planes) {
  if (planes.channels != 3) return;
  for_each_color(planes, [](float& red, float& green, float& blue) {
    red = green = blue = luma(red, green, blue);
  });
}

void solarize(Planes& planes, float threshold) {
  for (float& value : planes.values) value = value >= threshold ? 1 - value : value;
}

void gaussian_blur(Planes& planes, double radius) {
  check_blur_radius(radius);
  if (radius == 0 || planes.empty()) return;
  const float box = box_radius(static_cast<float>(radius));
  for (int c = 0; c < planes.channels; ++c) {
    float* plane = planes.plane(c);
    std::vector<float> lines(plane, plane + planes.plane_size());
    blur_lines(lines, planes.height, box);
    lines = transposed(lines, static_cast<std::size_t>(planes.height));
    blur_lines(lines, planes.width, box);
    lines = transposed(lines, static_cast<std::size_t>(planes.width));
    std::copy(lines.begin(), lines.end(), plane);
  }
}

SampleRange sample_range(const Planes& planes) {
  const auto [low, high] = std::minmax_element(planes.values.begin(), planes.values.end());
  if (planes.empty() || !(*low < *high)) return {};
  return {*low, *high};
}

Image to_picture(const Planes& planes, SampleRange range) {
  const int channels = planes.channels < 3 ? 1 : 3;
  Image picture(planes.width, planes.height, channels);
  const float scale = 255 / (range.high - range.low);
  for (int c = 0; c < channels; ++c) {
    const float* plane = planes.plane(c);
    std::uint8_t* to = picture.pixels.data() + c;
    for (std::size_t i = 0; i < planes.plane_size(); ++i, to += channels)
      *to = static_cast<std::uint8_t>(
          std::clamp((plane[i] - range.low) * scale + 0.5F, 0.0F, 255.0F));
  }
  return picture;
}

}  // namespace dino::image
