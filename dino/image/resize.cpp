// Separable antialiased resampling with Pillow's arithmetic: weights in 22-bit fixed point, each
// pass rounded to 8 bits. What is done in which order is decided here; the kernels do it.
#include "dino/image/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/kernels.h"
#include "dino/image/taps.h"

namespace dino::image {
namespace {

constexpr auto to_fixed_point = [](double weight) {  // an object, so that loops see through it
  return static_cast<std::int32_t>(weight * (1 << kWeightBits) + (weight < 0 ? -0.5 : 0.5));
};

void copy(const ImageView& source, int left, int top, Image& out) {
  for (int y = 0; y < out.height; ++y)
    std::copy_n(source.row(top + y) + left * source.channels, out.row_bytes(), out.row(y));
}

void resize_nearest(const ImageView& source, const Box& box, Image& out) {
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
  const std::vector<int> columns = positions(box.left, box.right, out.width, source.width);
  const std::vector<int> rows = positions(box.top, box.bottom, out.height, source.height);
  std::uint8_t* to = out.pixels.data();
  for (const int y : rows)
    for (const int x : columns) {
      const std::uint8_t* from = source.row(y) + x * source.channels;
      for (int c = 0; c < source.channels; ++c) *to++ = from[c];
    }
}

void check(const ImageView& source, const Box& box, int width, int height) {
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
  Image out;
  Workspace workspace;
  resize_into(source, box, width, height, filter, out, workspace);
  return out;
}

void resize_into(const ImageView& source, Box box, int width, int height, Filter filter, Image& out,
                 Workspace& workspace) {
  check(source, box, width, height);
  out.reshape(width, height, source.channels);
  const auto target_width = static_cast<float>(width);
  const auto target_height = static_cast<float>(height);
  const bool is_plain_crop = is_whole(box.left) && is_whole(box.top) &&
                             box.right - box.left == target_width &&
                             box.bottom - box.top == target_height;
  if (is_plain_crop)
    return copy(source, static_cast<int>(box.left), static_cast<int>(box.top), out);
  if (filter == Filter::Nearest) return resize_nearest(source, box, out);

  const bool scales_x = width != source.width || box.left != 0 || box.right != target_width;
  const bool scales_y = height != source.height || box.top != 0 || box.bottom != target_height;
  // Pillow 13 takes y first when that shrinks the image much more; the order shows in the
  // rounding.
  const auto lost_rows = static_cast<std::int64_t>(source.height) - height;
  const auto lost_columns = static_cast<std::int64_t>(source.width) - width;
  Scaling scaling{
      .source = source, .down_first = lost_rows > 0 && lost_rows > 2 * lost_columns, .out = &out};
  if (scales_x) {
    fill_taps(workspace.across, source.width, box.left, box.right, width, filter, to_fixed_point);
    scaling.across = &workspace.across;
  }
  if (scales_y) {
    fill_taps(workspace.down, source.height, box.top, box.bottom, height, filter, to_fixed_point);
    scaling.down = &workspace.down;
  }
  workspace.kernels->scale(scaling, workspace);
}

Image resize(const Image& source, int width, int height, Filter filter) {
  const Box all{0, 0, static_cast<float>(source.width), static_cast<float>(source.height)};
  return resize_crop(source, all, width, height, filter);
}

}  // namespace dino::image
