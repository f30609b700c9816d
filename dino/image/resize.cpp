// Separable antialiased resampling with Pillow's arithmetic: weights in 22-bit fixed point, each
// pass rounded to 8 bits. Both passes are one operation, "add up weighted rows": the horizontal
// pass runs it on 16 rows turned on their side.
#include "dino/image/resize.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "dino/base/error.h"
#include "dino/image/byte_rows.h"
#include "dino/image/color.h"
#include "dino/image/taps.h"

namespace dino::image {
namespace {

constexpr int kBlock = static_cast<int>(kBlockRows);

using FixedTaps = Taps<std::int32_t>;

std::int32_t to_fixed_point(double weight) {
  return static_cast<std::int32_t>(weight * (1 << kWeightBits) + (weight < 0 ? -0.5 : 0.5));
}

Image crop(const Image& source, int left, int top, int width, int height) {
  Image out(width, height, source.channels);
  for (int y = 0; y < height; ++y)
    std::copy_n(source.row(top + y) + left * source.channels, out.row_bytes(), out.row(y));
  return out;
}

Image resize_nearest(const Image& source, const Box& box, int width, int height) {
  // Positions are summed up, not multiplied out: that is how Pillow's rounding falls.
  const std::vector<int> columns = nearest_positions(source.width, box.left, box.right, width);
  const std::vector<int> rows = nearest_positions(source.height, box.top, box.bottom, height);
  Image out(width, height, source.channels);
  std::uint8_t* to = out.pixels.data();
  for (const int y : rows)
    for (const int x : columns) {
      const std::uint8_t* from = source.row(y) + x * source.channels;
      for (int c = 0; c < source.channels; ++c) *to++ = from[c];
    }
  return out;
}

/** Scales up to kBlock rows at once along x. */
class HorizontalPass {
 public:
  HorizontalPass(const FixedTaps& taps, int channels)
      : taps_(taps),
        lanes_(kBlockRows * static_cast<std::size_t>(channels)),
        begin_byte_(static_cast<std::size_t>(taps.begin() * channels)),
        in_bytes_(static_cast<std::size_t>((taps.end() - taps.begin()) * channels)),
        out_bytes_(taps.first.size() * static_cast<std::size_t>(channels)),
        in_(std::make_unique_for_overwrite<std::uint8_t[]>(in_bytes_ * kBlockRows)),
        out_(std::make_unique_for_overwrite<std::uint8_t[]>(out_bytes_ * kBlockRows)) {}

  std::size_t out_bytes() const { return out_bytes_; }

  /** Scales rows [begin, begin + kBlock) that exist before `end` into rows out_bytes() apart;
   * returns how many. */
  template <typename RowAt>
  int run(int begin, int end, const RowAt& row_at, std::uint8_t* out) {
    turn_rows(block_of_rows(begin, end, row_at), begin_byte_, in_bytes_, in_.get());
    for (std::size_t x = 0; x < taps_.first.size(); ++x) {
      const auto first = static_cast<std::size_t>(taps_.first[x] - taps_.begin());
      const std::uint8_t* in = in_.get() + first * lanes_;
      add_weighted_rows([&](int k) { return in + static_cast<std::size_t>(k) * lanes_; },
                        taps_.weights_of(static_cast<int>(x)), taps_.count[x], lanes_,
                        out_.get() + x * lanes_);
    }
    const int count = std::min(kBlock, end - begin);
    turn_back(out_.get(), out_bytes_, static_cast<std::size_t>(count), out_bytes_, out);
    return count;
  }

 private:
  const FixedTaps& taps_;
  std::size_t lanes_;  // bytes of one pixel column of a block
  std::size_t begin_byte_;
  std::size_t in_bytes_;
  std::size_t out_bytes_;
  std::unique_ptr<std::uint8_t[]> in_;   // [in_bytes, kBlockRows]
  std::unique_ptr<std::uint8_t[]> out_;  // [out_bytes, kBlockRows]
};

/** One output row of the vertical pass. */
template <typename RowAt>
void weigh_rows(const FixedTaps& down, int y, const RowAt& row_at, std::size_t bytes,
                std::uint8_t* out) {
  const int first = down.first[static_cast<std::size_t>(y)];
  add_weighted_rows([&](int k) { return row_at(first + k); }, down.weights_of(y),
                    down.count[static_cast<std::size_t>(y)], bytes, out);
}

void scale_x(const Image& source, const FixedTaps& across, Image& out) {
  HorizontalPass pass(across, source.channels);
  const auto row_at = [&](int y) { return source.row(y); };
  for (int y = 0; y < out.height; y += kBlock) pass.run(y, out.height, row_at, out.row(y));
}

void scale_y(const Image& source, const FixedTaps& down, Image& out) {
  const auto row_at = [&](int y) { return source.row(y); };
  for (int y = 0; y < out.height; ++y) weigh_rows(down, y, row_at, source.row_bytes(), out.row(y));
}

/** Rows scaled along x wait in a ring just large enough for one output row, so that they stay in
 * the cache. */
void scale_x_then_y(const Image& source, const FixedTaps& across, const FixedTaps& down,
                    Image& out) {
  HorizontalPass pass(across, source.channels);
  const int most_taps = *std::max_element(down.count.begin(), down.count.end());
  const int ring_rows = (most_taps + 2 * kBlock - 1) / kBlock * kBlock;
  const auto ring = std::make_unique_for_overwrite<std::uint8_t[]>(
      static_cast<std::size_t>(ring_rows) * pass.out_bytes());
  const auto slot = [&](int y) {
    const int position = (y - down.begin()) % ring_rows;
    return ring.get() + static_cast<std::size_t>(position) * pass.out_bytes();
  };
  int ready = down.begin();  // rows before this one have been scaled along x
  for (int y = 0; y < out.height; ++y) {
    const auto i = static_cast<std::size_t>(y);
    while (ready < down.first[i] + down.count[i])
      ready += pass.run(
          ready, down.end(), [&](int r) { return source.row(r); }, slot(ready));
    weigh_rows(down, y, slot, pass.out_bytes(), out.row(y));
  }
}

void scale_y_then_x(const Image& source, const FixedTaps& across, const FixedTaps& down,
                    Image& out) {
  HorizontalPass pass(across, source.channels);
  Image block(source.width, kBlock, source.channels);
  const auto row_at = [&](int y) { return source.row(y); };
  for (int begin = 0; begin < out.height; begin += kBlock) {
    const int rows = std::min(kBlock, out.height - begin);
    for (int r = 0; r < rows; ++r)
      weigh_rows(down, begin + r, row_at, source.row_bytes(), block.row(r));
    pass.run(
        0, rows, [&](int r) { return block.row(r); }, out.row(begin));
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
  if (source.empty()) fail(ErrorKind::Usage, "[resize] the image is empty");
  check_grey_or_rgb(source, "resize");
  check_resize(source.width, source.height, box, width, height);
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
  Image out(width, height, source.channels);
  const auto across = [&] {
    return make_taps<std::int32_t>(source.width, box.left, box.right, width, filter,
                                   to_fixed_point);
  };
  const auto down = [&] {
    return make_taps<std::int32_t>(source.height, box.top, box.bottom, height, filter,
                                   to_fixed_point);
  };
  if (!scales_y)
    scale_x(source, across(), out);
  else if (!scales_x)
    scale_y(source, down(), out);
  else if (takes_rows_first(source.width, source.height, width, height))
    scale_y_then_x(source, across(), down(), out);
  else
    scale_x_then_y(source, across(), down(), out);
  return out;
}

Image resize(const Image& source, int width, int height, Filter filter) {
  const Box all{0, 0, static_cast<float>(source.width), static_cast<float>(source.height)};
  return resize_crop(source, all, width, height, filter);
}

}  // namespace dino::image
