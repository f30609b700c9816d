// Separable antialiased resampling with Pillow's arithmetic: weights in 22-bit fixed point, each
// pass rounded to 8 bits. Both passes are one operation, "add up weighted rows": the horizontal
// pass runs it on 16 rows turned on their side.
#include "dino/image/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/weighted_rows.h"

namespace dino::image {
namespace {

constexpr int kBlock = static_cast<int>(kBlockRows);

/** One axis of the resampling: output position i is the weighted sum of `count[i]` inputs from
 * `first[i]` on. */
struct Taps {
  int stride = 0;  ///< weights reserved per output position
  std::vector<int> first;
  std::vector<int> count;
  std::vector<std::int32_t> weights;  // [positions, stride], fixed point

  const std::int32_t* weights_of(int i) const {
    return weights.data() + static_cast<std::ptrdiff_t>(i) * stride;
  }
  int begin() const { return first.front(); }
  int end() const { return first.back() + count.back(); }
};

double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/** Keys' cubic with a = -0.5, factored so that it rounds as Pillow's does. */
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) {
  return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

std::int32_t to_fixed_point(double weight) {
  return static_cast<std::int32_t>(weight * (1 << kWeightBits) + (weight < 0 ? -0.5 : 0.5));
}

/** Taps that map [from, to) of `in_size` inputs to `out_size` outputs; the filter reaches `radius`
 * output pixels. */
template <typename Kernel>
Taps make_taps(int in_size, float from, float to, int out_size, double radius, Kernel kernel) {
  const double scale = static_cast<double>(to - from) / out_size;
  const double stretch = std::max(scale, 1.0);  // widen when shrinking, never sharpen when growing
  const double inverse_stretch = 1.0 / stretch;
  const double support = radius * stretch;

  Taps taps;
  taps.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  const auto positions = static_cast<std::size_t>(out_size);
  taps.first.resize(positions);
  taps.count.resize(positions);
  taps.weights.resize(positions * static_cast<std::size_t>(taps.stride));
  std::vector<double> values(static_cast<std::size_t>(taps.stride));
  for (int i = 0; i < out_size; ++i) {
    const double center = from + (i + 0.5) * scale;
    const int begin = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = std::min(static_cast<int>(center + support + 0.5), in_size);
    const int count = end - begin;
    double sum = 0.0;
    for (int k = 0; k < count; ++k) {
      const double value = kernel((k + begin - center + 0.5) * inverse_stretch);
      values[static_cast<std::size_t>(k)] = value;
      sum += value;
    }
    std::int32_t* weights =
        taps.weights.data() + static_cast<std::size_t>(i) * static_cast<std::size_t>(taps.stride);
    for (int k = 0; k < count; ++k) {
      const double value = values[static_cast<std::size_t>(k)];
      weights[k] = to_fixed_point(sum != 0.0 ? value / sum : value);
    }
    taps.first[static_cast<std::size_t>(i)] = begin;
    taps.count[static_cast<std::size_t>(i)] = count;
  }
  return taps;
}

Taps make_taps(int in_size, float from, float to, int out_size, Filter filter) {
  switch (filter) {
    case Filter::Bilinear:
      return make_taps(in_size, from, to, out_size, 1.0, bilinear);
    case Filter::Lanczos:
      return make_taps(in_size, from, to, out_size, 3.0, lanczos);
    default:
      return make_taps(in_size, from, to, out_size, 2.0, bicubic);
  }
}

Image crop(const Image& source, int left, int top, int width, int height) {
  Image out(width, height, source.channels);
  for (int y = 0; y < height; ++y)
    std::copy_n(source.row(top + y) + left * source.channels, out.row_bytes(), out.row(y));
  return out;
}

Image resize_nearest(const Image& source, const Box& box, int width, int height) {
  // Positions are summed up, not multiplied out: that is how Pillow's rounding falls.
  const auto positions = [](float from, float to, int out_size, int in_size) {
    std::vector<int> at(static_cast<std::size_t>(out_size));
    const double step = static_cast<double>(to - from) / out_size;
    double position = from + step * 0.5;
    for (int& p : at) {
      p = std::min(static_cast<int>(position), in_size - 1);
      position += step;
    }
    return at;
  };
  const std::vector<int> columns = positions(box.left, box.right, width, source.width);
  const std::vector<int> rows = positions(box.top, box.bottom, height, source.height);
  Image out(width, height, source.channels);
  std::uint8_t* to = out.pixels.data();
  for (const int y : rows)
    for (const int x : columns) {
      const std::uint8_t* from = source.row(y) + x * source.channels;
      for (int c = 0; c < source.channels; ++c) *to++ = from[c];
    }
  return out;
}

/** Scales kBlockRows rows at once along x. */
class HorizontalPass {
 public:
  HorizontalPass(const Taps& taps, int channels)
      : taps_(taps),
        channels_(channels),
        begin_byte_(static_cast<std::size_t>(taps.begin() * channels)),
        in_bytes_(static_cast<std::size_t>((taps.end() - taps.begin()) * channels)),
        out_bytes_(taps.first.size() * static_cast<std::size_t>(channels)),
        in_(std::make_unique_for_overwrite<std::uint8_t[]>(in_bytes_ * kBlockRows)),
        out_(std::make_unique_for_overwrite<std::uint8_t[]>(padded(out_bytes_) * kBlockRows)) {}

  static std::size_t padded(std::size_t bytes) {
    return (bytes + kBlockRows - 1) / kBlockRows * kBlockRows;
  }
  std::size_t out_stride() const { return padded(out_bytes_); }

  /** rows: kBlockRows source rows; out: kBlockRows rows, out_stride() bytes apart. */
  void run(const std::array<const std::uint8_t*, kBlockRows>& rows, std::uint8_t* out) {
    turn_rows(rows, begin_byte_, in_bytes_, in_.get());
    const std::size_t lanes = kBlockRows * static_cast<std::size_t>(channels_);
    for (std::size_t x = 0; x < taps_.first.size(); ++x) {
      const std::uint8_t* in =
          in_.get() + static_cast<std::size_t>(taps_.first[x] - taps_.begin()) * lanes;
      add_weighted_rows([=](int k) { return in + static_cast<std::size_t>(k) * lanes; },
                        taps_.weights_of(static_cast<int>(x)), taps_.count[x], lanes,
                        out_.get() + x * lanes);
    }
    turn_back(out_.get(), out_stride(), out);
  }

 private:
  const Taps& taps_;
  int channels_;
  std::size_t begin_byte_;
  std::size_t in_bytes_;
  std::size_t out_bytes_;
  std::unique_ptr<std::uint8_t[]> in_;   // [in_bytes, kBlockRows]
  std::unique_ptr<std::uint8_t[]> out_;  // [out_stride, kBlockRows]
};

/** The 16 rows from `begin` on; past `end` the last row stands in (its results are dropped). */
template <typename RowAt>
std::array<const std::uint8_t*, kBlockRows> block_of_rows(int begin, int end, const RowAt& row_at) {
  std::array<const std::uint8_t*, kBlockRows> rows;
  for (int r = 0; r < kBlock; ++r)
    rows[static_cast<std::size_t>(r)] = row_at(std::min(begin + r, end - 1));
  return rows;
}

/** Along x, then (if `down` is given) along y. Source rows pass through a ring just large enough
 * for one output row. */
void scale_horizontal_first(const Image& source, const Taps& across, const Taps* down, Image& out) {
  HorizontalPass pass(across, source.channels);
  const int begin = down ? down->begin() : 0;
  const int end = down ? down->end() : source.height;
  const int widest = down ? *std::max_element(down->count.begin(), down->count.end()) : 0;
  const int ring_rows = (widest + 2 * kBlock - 1) / kBlock * kBlock;
  const auto ring = std::make_unique_for_overwrite<std::uint8_t[]>(
      static_cast<std::size_t>(ring_rows) * pass.out_stride());
  const auto slot = [&](int y) {
    return ring.get() + static_cast<std::size_t>((y - begin) % ring_rows) * pass.out_stride();
  };

  int ready = begin;  // rows before this one are in the ring
  const auto fill_until = [&](int y) {
    for (; ready < y; ready += kBlock)
      pass.run(block_of_rows(ready, end, [&](int r) { return source.row(r); }), slot(ready));
  };
  for (int y = 0; y < out.height; ++y) {
    if (!down) {
      fill_until(y + 1);
      std::copy_n(slot(y), out.row_bytes(), out.row(y));
      continue;
    }
    const int first = down->first[static_cast<std::size_t>(y)];
    const int count = down->count[static_cast<std::size_t>(y)];
    fill_until(first + count);
    add_weighted_rows([&](int k) { return slot(first + k); }, down->weights_of(y), count,
                      out.row_bytes(), out.row(y));
  }
}

/** Along y, then along x (if `across` is given). */
void scale_vertical_first(const Image& source, const Taps* across, const Taps& down, Image& out) {
  const auto scale_row = [&](int y, std::uint8_t* to) {
    const int first = down.first[static_cast<std::size_t>(y)];
    add_weighted_rows([&](int k) { return source.row(first + k); }, down.weights_of(y),
                      down.count[static_cast<std::size_t>(y)], source.row_bytes(), to);
  };
  if (!across) {
    for (int y = 0; y < out.height; ++y) scale_row(y, out.row(y));
    return;
  }
  HorizontalPass pass(*across, source.channels);
  Image narrow(source.width, kBlock, source.channels);
  std::vector<std::uint8_t> scaled(kBlockRows * pass.out_stride());
  for (int begin = 0; begin < out.height; begin += kBlock) {
    const int rows = std::min(kBlock, out.height - begin);
    for (int r = 0; r < rows; ++r) scale_row(begin + r, narrow.row(r));
    pass.run(block_of_rows(0, rows, [&](int r) { return narrow.row(r); }), scaled.data());
    for (int r = 0; r < rows; ++r)
      std::copy_n(scaled.data() + static_cast<std::size_t>(r) * pass.out_stride(), out.row_bytes(),
                  out.row(begin + r));
  }
}

void check(const Image& source, const Box& box, int width, int height) {
  if (source.empty()) fail(ErrorKind::Usage, "[resize] the image is empty");
  if (width < 1 || height < 1)
    fail(ErrorKind::Usage, "[resize] target size must be at least 1 x 1 px: {} x {}", width,
         height);
  const bool inside = box.left >= 0 && box.top >= 0 && box.right > box.left &&
                      box.bottom > box.top && box.right <= static_cast<float>(source.width) &&
                      box.bottom <= static_cast<float>(source.height);
  if (!inside)
    fail(ErrorKind::Usage, "[resize] box must lie inside the {} x {} px image: ({}, {}, {}, {})",
         source.width, source.height, box.left, box.top, box.right, box.bottom);
}

bool is_whole(float value) {
  return value == std::floor(value);
}

}  // namespace

Image resize_crop(const Image& source, Box box, int width, int height, Filter filter) {
  check(source, box, width, height);
  const auto target_width = static_cast<float>(width);
  const auto target_height = static_cast<float>(height);
  const bool is_plain_crop = is_whole(box.left) && is_whole(box.top) &&
                             box.right - box.left == target_width &&
                             box.bottom - box.top == target_height;
  if (is_plain_crop)
    return crop(source, static_cast<int>(box.left), static_cast<int>(box.top), width, height);
  if (filter == Filter::Nearest) return resize_nearest(source, box, width, height);

  const bool scales_x = width != source.width || box.left != 0 || box.right != target_width;
  const bool scales_y = height != source.height || box.top != 0 || box.bottom != target_height;
  // Pillow 13 takes y first when that shrinks the image much more; the order shows in the
  // rounding.
  const auto lost_rows = static_cast<std::int64_t>(source.height) - height;
  const auto lost_columns = static_cast<std::int64_t>(source.width) - width;
  const bool vertical_first = lost_rows > 0 && lost_rows > 2 * lost_columns;

  Image out(width, height, source.channels);
  Taps across, down;
  if (scales_x) across = make_taps(source.width, box.left, box.right, width, filter);
  if (scales_y) down = make_taps(source.height, box.top, box.bottom, height, filter);
  if (!scales_x || (scales_y && vertical_first))
    scale_vertical_first(source, scales_x ? &across : nullptr, down, out);
  else
    scale_horizontal_first(source, across, scales_y ? &down : nullptr, out);
  return out;
}

Image resize(const Image& source, int width, int height, Filter filter) {
  const Box all{0, 0, static_cast<float>(source.width), static_cast<float>(source.height)};
  return resize_crop(source, all, width, height, filter);
}

}  // namespace dino::image
