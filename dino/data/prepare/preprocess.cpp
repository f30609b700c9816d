// Pixels of the evaluation transform; its geometry is placement.cpp's.
#include "dino/data/prepare/preprocess.h"

#include <algorithm>
#include <cstring>

#include "dino/base/error.h"
#include "dino/base/rng.h"
#include "dino/image/pixels/planes_ops.h"
#include "dino/image/pixels/reduce.h"
#include "dino/image/pixels/resize_float.h"

namespace dino::data {
namespace {

/** The part of the window that shows the image, not padding: [begin, end) in window px. */
struct Span {
  int begin = 0, end = 0;
};
Span covered(int first, int length, int resized) {
  return {std::max(0, -first), std::min(length, resized - first)};
}

void check_channels(int channels, const Preprocess& p) {
  if (channels != p.channels)
    fail(ErrorKind::Usage, "[preprocess] the image has {} channels, the network takes {}", channels,
         p.channels);
}

image::Image resize_bytes(const image::Image& source, const Preprocess& p, const Placement& at) {
  // Pillow's thumbnail() takes box averages first where it shrinks a lot.
  return p.fit == Fit::LongSide
             ? image::resize_reduced(source, at.resized_width, at.resized_height, p.filter)
             : image::resize(source, at.resized_width, at.resized_height, p.filter);
}

/** Calls fill(y, x) for each window row: its image row and the columns that it covers. */
template <typename Fill>
void for_each_covered_row(const Placement& at, const Fill& fill) {
  const Span x = covered(at.left, at.width, at.resized_width);
  const Span y = covered(at.top, at.height, at.resized_height);
  for (int row = y.begin; row < y.end; ++row) fill(row, x);
}

float* row_of(Prepared& prepared, std::size_t channel, int y) {
  const auto height = static_cast<std::size_t>(prepared.height);
  return prepared.pixels.data() + (channel * height + static_cast<std::size_t>(y)) *
                                      static_cast<std::size_t>(prepared.width);
}

/** Writes the part of the resized image that the window shows. */
void normalize_into(const image::Planes& resized, const Preprocess& p, Prepared& out) {
  const Placement& at = out.placement;
  for (std::size_t c = 0; c < p.mean.size(); ++c) {
    const auto scale = static_cast<float>(1 / p.std[c]);
    const auto mean = static_cast<float>(p.mean[c]);
    for_each_covered_row(at, [&](int y, Span x) {
      const float* in = resized.row(static_cast<int>(c), y + at.top) + (x.begin + at.left);
      float* to = row_of(out, c, y) + x.begin;
      for (int i = 0; i < x.end - x.begin; ++i) to[i] = (in[i] - mean) * scale;
    });
  }
}

struct Move {
  int right = 0, down = 0;  // px
  bool mirrored = false;
};

Move draw_move(const Augment& augment, std::int64_t index) {
  Rng rng(augment.seed, 0, static_cast<std::uint64_t>(index));
  const auto draw = [&] {
    return static_cast<int>(rng.below(static_cast<std::uint64_t>(2 * augment.shift_px + 1))) -
           augment.shift_px;
  };
  const int right = draw(), down = draw();
  const bool mirrored = rng.bernoulli(0.5);
  return {right, down, augment.mirror && mirrored};
}

/** Moves the pixels, `items` values each; what a shift uncovers is as the nearest one that it left.
 */
template <typename Value>
void move_pixels(const Value* from, Value* to, int width, int height, int items, const Move& move) {
  const auto at = [&](int x, int y) {
    return (static_cast<std::ptrdiff_t>(y) * width + x) * items;
  };
  for (int y = 0; y < height; ++y) {
    const int row = std::clamp(y - move.down, 0, height - 1);
    for (int x = 0; x < width; ++x) {
      const int column = std::clamp(x - move.right, 0, width - 1);
      std::copy_n(from + at(move.mirrored ? width - 1 - column : column, row), items,
                  to + at(x, y));
    }
  }
}

}  // namespace

void validate(const Preprocess& p) {
  if (p.image_size < 1 || p.image_size > 16384)
    fail(ErrorKind::Config, "[preprocess] image_size must be in [1, 16384] px: {}", p.image_size);
  if (p.resize != 0 && (p.resize < p.image_size || p.resize > 16384))
    fail(ErrorKind::Config,
         "[preprocess] resize must be 0 or at least image_size ({} px), at most 16384: {}",
         p.image_size, p.resize);
  if (p.resize != 0 && p.fit != Fit::CenterCrop)
    fail(ErrorKind::Config,
         "[preprocess] resize ({} px) is the size before the center crop; leave it 0 for other "
         "fits",
         p.resize);
  if (p.channels < 1 || (!p.full_range && p.channels != 1 && p.channels != 3))
    fail(ErrorKind::Config, "[preprocess] channels must be 1 or 3, or any with full_range: {}",
         p.channels);
  const auto count = static_cast<std::size_t>(p.channels);
  if (p.mean.size() != count || p.std.size() != count)
    fail(ErrorKind::Config,
         "[preprocess] mean and std need one value per channel ({}), got {} and {}", count,
         p.mean.size(), p.std.size());
  if (std::any_of(p.std.begin(), p.std.end(), [](double s) { return !(s > 0); }))
    fail(ErrorKind::Config, "[preprocess] std must be above 0 in each channel");
  decode_options(p);
}

image::DecodeOptions decode_options(const Preprocess& p) {
  return decode_options(p.background, p.upright, p.value_range);
}

image::DecodeOptions decode_options(const std::vector<int>& background, bool upright,
                                    const std::vector<double>& value_range) {
  image::DecodeOptions options;
  options.upright = upright;
  if (!value_range.empty()) {
    if (value_range.size() == 2) options.value_range = {value_range[0], value_range[1]};
    if (!options.value_range || !image::is_valid(*options.value_range))
      fail(ErrorKind::Config,
           "[preprocess] value_range must be the values of black and white, the low one first, or "
           "empty: [{}]",
           fmt::join(value_range, ", "));
  }
  if (background.empty()) return options;
  if (background.size() != 3 || std::ranges::min(background) < 0 ||
      std::ranges::max(background) > 255)
    fail(ErrorKind::Config,
         "[preprocess] background must be red, green and blue, 0 to 255, or empty: [{}]",
         fmt::join(background, ", "));
  const auto level = [&](std::size_t c) { return static_cast<std::uint8_t>(background[c]); };
  options.background = {level(0), level(1), level(2)};
  return options;
}

SourceOptions source_options(const Preprocess& p) {
  SourceOptions options;
  options.channels = p.channels;
  options.decode = decode_options(p);
  return options;
}

bool keeps_shape(const Preprocess& p) {
  return p.fit == Fit::ShortSide || p.fit == Fit::LongSide || p.fit == Fit::Native;
}

std::int64_t token_count(int height, int width, int patch_size) {
  const auto cells = [&](int side) { return (std::int64_t{side} + patch_size - 1) / patch_size; };
  return cells(height) * cells(width);
}

void check_token_count(int height, int width, int patch_size, std::int64_t most) {
  const std::int64_t tokens = token_count(height, width, patch_size);
  if (most > 0 && tokens > most)
    fail(
        ErrorKind::Data,
        "[preprocess] {} x {} px fed to the network need {} tokens of {} px, the limit is {}: time "
        "grows with their square; try a smaller --image-size, a --fit that makes squares, or a "
        "larger --max-tokens",
        width, height, tokens, patch_size, most);
}

Preparer::Preparer(Preprocess preprocess, int patch_size, std::int64_t max_tokens)
    : preprocess_((validate(preprocess), std::move(preprocess))),
      patch_size_(patch_size),
      max_tokens_(max_tokens),
      normalizer_(preprocess_.mean, preprocess_.std) {
  if (patch_size < 1)
    fail(ErrorKind::Config, "[preprocess] the patch must be at least 1 px: {}", patch_size);
}

Prepared Preparer::placed(int width, int height, int channels) const {
  const Preprocess& p = preprocess_;
  check_channels(channels, p);
  Prepared out{.pixels = {}, .placement = place(width, height, p, patch_size_)};
  out.height = out.placement.height;
  out.width = out.placement.width;
  check_token_count(out.height, out.width, patch_size_, max_tokens_);
  out.pixels.resize(static_cast<std::size_t>(p.channels) * static_cast<std::size_t>(out.height) *
                    static_cast<std::size_t>(out.width));
  return out;
}

Prepared Preparer::operator()(const image::Image& source) const {
  const Preprocess& p = preprocess_;
  Prepared out = placed(source.width, source.height, source.channels);
  const Placement& at = out.placement;
  if (p.resize_floats) {
    normalize_into(image::resize_to_floats(source, at.resized_width, at.resized_height, p.filter),
                   p, out);
    return out;
  }
  const image::Image resized = resize_bytes(source, p, at);
  const auto channels = static_cast<std::size_t>(p.channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const float* table = normalizer_.table(c).data();
    for_each_covered_row(at, [&](int y, Span x) {
      const std::uint8_t* in =
          resized.row(y + at.top) + static_cast<std::size_t>(x.begin + at.left) * channels + c;
      float* to = row_of(out, c, y) + x.begin;
      for (int i = 0; i < x.end - x.begin; ++i)
        to[i] = table[in[static_cast<std::size_t>(i) * channels]];
    });
  }
  return out;
}

Prepared Preparer::operator()(const image::Planes& source) const {
  Prepared out = placed(source.width, source.height, source.channels);
  const Placement& at = out.placement;
  const image::Box all{0, 0, static_cast<float>(source.width), static_cast<float>(source.height)};
  normalize_into(
      image::resize_crop(source, all, at.resized_width, at.resized_height, preprocess_.filter),
      preprocess_, out);
  return out;
}

Prepared Preparer::operator()(const Dataset& dataset, std::int64_t index) const {
  return preprocess_.full_range ? (*this)(dataset.load_wide(index)) : (*this)(dataset.load(index));
}

Prepared Preparer::operator()(const std::filesystem::path& file) const {
  const SourceOptions source = source_options(preprocess_);
  return preprocess_.full_range
             ? (*this)(image::decode_file_wide(file, source.channels, source.decode))
             : (*this)(image::decode_file(file, source.channels, source.decode));
}

Prepared prepare(const image::Image& source, const Preprocess& preprocess, int patch_size) {
  return Preparer(preprocess, patch_size)(source);
}

image::Image eval_crop(const image::Image& source, const Preprocess& p) {
  if (!p.full_range) check_channels(source.channels, p);
  const Placement at = place(source.width, source.height, p, 1);
  image::Image resized = resize_bytes(source, p, at);
  if (at.width == resized.width && at.height == resized.height) return resized;
  const int channels = source.channels;
  image::Image out(at.width, at.height, channels);
  for_each_covered_row(at, [&](int y, Span x) {
    std::copy_n(resized.row(y + at.top) + (x.begin + at.left) * channels,
                (x.end - x.begin) * channels, out.row(y) + x.begin * channels);
  });
  return out;
}

image::Image eval_crop(const Dataset& dataset, std::int64_t index, const Preprocess& p) {
  if (!p.full_range) return eval_crop(dataset.load(index), p);
  const image::Planes planes = dataset.load_wide(index);
  return eval_crop(image::to_picture(planes, image::sample_range(planes)), p);
}

image::Image shifted(const image::Image& source, int right, int down, bool mirrored) {
  image::Image out(source.width, source.height, source.channels);
  move_pixels(source.pixels.data(), out.pixels.data(), source.width, source.height, source.channels,
              {right, down, mirrored});
  return out;
}

image::Image augmented(const image::Image& source, const Augment& augment, std::int64_t index) {
  const Move move = draw_move(augment, index);
  return shifted(source, move.right, move.down, move.mirrored);
}

void augment_prepared(Prepared& prepared, const Preprocess& preprocess, const Augment& augment,
                      std::int64_t index) {
  const Move move = draw_move(augment, index);
  const std::vector<float> before = prepared.pixels;
  const std::size_t plane = before.size() / preprocess.mean.size();
  for (std::size_t c = 0; c < preprocess.mean.size(); ++c) {
    move_pixels(before.data() + c * plane, prepared.pixels.data() + c * plane, prepared.width,
                prepared.height, 1, move);
  }
}

}  // namespace dino::data
