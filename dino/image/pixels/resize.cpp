// Separable antialiased resampling with Pillow's arithmetic: weights in 22-bit fixed point, each
// pass rounded to 8 bits. This file decides on the order of the passes; the kernels run them.
#include "dino/image/pixels/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/pixels/color.h"
#include "dino/image/pixels/kernels.h"
#include "dino/image/pixels/taps.h"

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
  // Positions are accumulated instead of multiplied, to round as Pillow does.
  const std::vector<int> columns = nearest_positions(source.width, box.left, box.right, out.width);
  const std::vector<int> rows = nearest_positions(source.height, box.top, box.bottom, out.height);
  std::uint8_t* to = out.pixels.data();
  for (const int y : rows)
    for (const int x : columns) {
      const std::uint8_t* from = source.row(y) + x * source.channels;
      for (int c = 0; c < source.channels; ++c) *to++ = from[c];
    }
}

bool is_whole(float value) {
  return value == std::floor(value);
}

}  // namespace

void check_resize(int source_width, int source_height, const Box& box, int width, int height) {
  if (width < 1 || height < 1)
    fail(ErrorKind::Usage, "[resize] target size must be at least 1 x 1 px: {} x {}", width,
         height);
  const bool inside = box.left >= 0 && box.top >= 0 && box.right > box.left &&
                      box.bottom > box.top && box.right <= static_cast<float>(source_width) &&
                      box.bottom <= static_cast<float>(source_height);
  if (!inside)
    fail(ErrorKind::Usage, "[resize] box must lie inside the {} x {} px image: ({}, {}, {}, {})",
         source_width, source_height, box.left, box.top, box.right, box.bottom);
}

bool takes_rows_first(int source_width, int source_height, int width, int height) {
  const auto lost_rows = static_cast<std::int64_t>(source_height) - height;
  const auto lost_columns = static_cast<std::int64_t>(source_width) - width;
  return lost_rows > 0 && lost_rows > 2 * lost_columns;
}

Image resize_crop(const Image& source, Box box, int width, int height, Filter filter) {
  Image out;
  Workspace workspace;
  resize_into(source, box, width, height, filter, out, workspace);
  return out;
}

void resize_into(const ImageView& source, Box box, int width, int height, Filter filter, Image& out,
                 Workspace& workspace) {
  if (source.empty()) fail(ErrorKind::Usage, "[resize] the image is empty");
  check_gray_or_rgb(source.channels, "resize");
  check_resize(source.width, source.height, box, width, height);
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
  Scaling scaling{.source = source,
                  .down_first = takes_rows_first(source.width, source.height, width, height),
                  .out = &out};
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
