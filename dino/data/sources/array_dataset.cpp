#include "dino/data/sources/array_dataset.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <span>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/bad_image.h"
#include "dino/format/byte_order.h"
#include "dino/image/color.h"

namespace dino::data {
namespace {

using format::DType;

constexpr std::int64_t kLargestSide = 1 << 16;
constexpr std::int64_t kFloatsLookedAt = 16;  // images that tell the range of floats

class ArrayDataset : public Dataset {
 public:
  ArrayDataset(std::vector<ArrayFile> files, std::vector<std::int64_t> labels,
               std::vector<std::string> class_names, int channels, std::vector<SourceNote> notes)
      : files_(std::move(files)),
        labels_(labels.begin(), labels.end()),
        class_names_(std::move(class_names)),
        channels_(channels),
        notes_(std::move(notes)) {
    for (const ArrayFile& file : files_)
      ends_.push_back((ends_.empty() ? 0 : ends_.back()) + file.layout.count);
    find_float_scale();
  }

  std::int64_t size() const override { return ends_.back(); }

  image::Image load(std::int64_t index) const override {
    image::Image image;
    each_sample(
        index,
        [&](const ArrayLayout& layout, int stored) {
          image = {static_cast<int>(layout.width), static_cast<int>(layout.height), stored};
        },
        [&](const std::byte* item, DType dtype, std::size_t pixel, std::size_t channel) {
          image.pixels[pixel * static_cast<std::size_t>(image.channels) + channel] =
              sample(item, dtype, index);
        });
    return in_channels(std::move(image));
  }

  /** Grey or colour as stored if that is what is asked for, else through eight bits. */
  image::Planes load_wide(std::int64_t index) const override {
    image::Planes planes;
    each_sample(
        index,
        [&](const ArrayLayout& layout, int stored) {
          planes = {static_cast<int>(layout.width), static_cast<int>(layout.height), stored};
        },
        [&](const std::byte* item, DType dtype, std::size_t pixel, std::size_t channel) {
          planes.plane(static_cast<int>(channel))[pixel] = wide_sample(item, dtype, index);
        });
    return planes.channels == channels_ || channels_ == 0 ? planes : image::to_planes(load(index));
  }

  /** An alpha channel is in the bytes, and counted apart from the others. */
  StoredImage stored(std::int64_t index) const override {
    const ArrayLayout& layout = find(index).first.layout;
    if (layout.dtype == DType::F32) load(index);  // refuses values that are no pixels
    return {record(index),
            image::ImageInfo{.kind = image::ImageKind::Unknown,
                             .width = static_cast<int>(layout.width),
                             .height = static_cast<int>(layout.height),
                             .channels = kept_channels(layout),
                             .bits = static_cast<int>(8 * format::item_bytes(layout.dtype)),
                             .is_float = layout.dtype == DType::F32,
                             .has_alpha = kept_channels(layout) < layout.channels}};
  }

  std::string name(std::int64_t index) const override {
    const auto [file, inner] = find(index);
    return fmt::format("{}#{}", file.name, inner);
  }
  std::int64_t label(std::int64_t index) const override {
    return labels_.empty() ? -1 : labels_.at(static_cast<std::size_t>(index));
  }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::vector<SourceNote> notes() const override { return notes_; }

 private:
  /** begin(layout, channels), then visit(item, type, pixel, channel) for each sample but a fourth
   * channel's. */
  template <typename Begin, typename Visit>
  void each_sample(std::int64_t index, Begin begin, Visit visit) const {
    const std::vector<std::byte> bytes = record(index);
    const ArrayLayout& layout = find(index).first.layout;
    const auto stored = static_cast<std::size_t>(kept_channels(layout));
    const std::size_t item = format::item_bytes(layout.dtype);
    begin(layout, static_cast<int>(stored));
    const auto pixels = static_cast<std::size_t>(layout.width * layout.height);
    for (std::size_t i = 0; i < pixels; ++i)
      for (std::size_t c = 0; c < stored; ++c) {
        const std::size_t at =
            layout.planar ? c * pixels + i : i * static_cast<std::size_t>(layout.channels) + c;
        visit(bytes.data() + at * item, layout.dtype, i, c);
      }
  }

  int kept_channels(const ArrayLayout& layout) const {
    return layout.channels == 4 && channels_ != 4 ? 3 : layout.channels;
  }

  std::pair<const ArrayFile&, std::int64_t> find(std::int64_t index) const {
    DINO_ASSERT(index >= 0 && index < size());
    const auto i = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), index) -
                                            ends_.begin());
    return {files_[i], index - (i == 0 ? 0 : ends_[i - 1])};
  }

  /** The items of image `index` in native byte order. */
  std::vector<std::byte> record(std::int64_t index) const {
    const auto [file, inner] = find(index);
    const ArrayLayout& layout = file.layout;
    const std::size_t item = format::item_bytes(layout.dtype);
    std::vector<std::byte> bytes(static_cast<std::size_t>(layout.height * layout.width) *
                                 static_cast<std::size_t>(layout.channels) * item);
    std::size_t got = 0;
    try {
      got = file.file->read_at(layout.offset + static_cast<std::uint64_t>(inner) * layout.stride,
                               bytes);
    } catch (const Error& error) {
      fail(ErrorKind::Data,
           "{}; is its disk still there? Bring it back, then continue with --resume", error.what());
    }
    if (got < bytes.size())
      throw BadImage(ErrorKind::Format, BadReason::Truncated,
                     fmt::format("[load image] the file ends within it ({})", name(index)));
    if (layout.big_endian) format::reverse_items(bytes, item);
    return bytes;
  }

  std::uint8_t sample(const std::byte* item, DType dtype, std::int64_t index) const {
    if (dtype == DType::U8) return std::to_integer<std::uint8_t>(*item);
    if (dtype == DType::U16) return std::to_integer<std::uint8_t>(item[1]);
    float value = 0;
    std::memcpy(&value, item, sizeof value);
    const float scaled = value * float_scale_;
    if (!(scaled > -1 && scaled < 256))  // also NaN; a little overshoot is rounding
      throw BadImage(ErrorKind::Format, BadReason::Corrupt,
                     fmt::format("[load image] the value {} is outside [0, {}] ({})", value,
                                 float_scale_ == 1 ? 255 : 1, name(index)));
    return static_cast<std::uint8_t>(std::clamp(std::nearbyint(scaled), 0.0F, 255.0F));
  }

  /** In [0, 1]. */
  float wide_sample(const std::byte* item, DType dtype, std::int64_t index) const {
    if (dtype == DType::U8) return static_cast<float>(std::to_integer<int>(*item)) / 255;
    if (dtype == DType::U16) {
      const auto bytes = std::span(item, 2);
      return static_cast<float>(format::load_little_endian(bytes)) / 65535;
    }
    float value = 0;
    std::memcpy(&value, item, sizeof value);
    if (!std::isfinite(value))
      throw BadImage(
          ErrorKind::Format, BadReason::Corrupt,
          fmt::format("[load image] the value {} is no number ({})", value, name(index)));
    return value * float_scale_ / 255;
  }

  void find_float_scale() {
    if (files_.front().layout.dtype != DType::F32) return;
    float largest = 0;
    const std::int64_t looked = std::min(size(), kFloatsLookedAt);
    for (std::int64_t i = 0; i < looked; ++i) {
      const std::vector<std::byte> bytes = record(i * size() / looked);
      for (std::size_t at = 0; at < bytes.size(); at += sizeof(float)) {
        float value = 0;
        std::memcpy(&value, bytes.data() + at, sizeof value);
        if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
      }
    }
    if (largest > 255)
      fail(ErrorKind::Data,
           "[open data set] '{}' holds values up to {}; scale them to [0, 1] or [0, 255]",
           files_.front().name, largest);
    float_scale_ = largest > 1.001F ? 1 : 255;
  }

  image::Image in_channels(image::Image image) const {
    if (image.channels == channels_ || channels_ == 0) return image;
    if (channels_ == 1) return image::grey_copy(image);
    image::Image colour(image.width, image.height, 3);
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      std::fill_n(colour.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, image.pixels[i]);
    return colour;
  }

  std::vector<ArrayFile> files_;
  std::vector<std::int64_t> ends_;  // first index behind each file
  std::vector<std::int32_t> labels_;
  std::vector<std::string> class_names_;
  int channels_;
  std::vector<SourceNote> notes_;
  float float_scale_ = 255;
};

}  // namespace

std::unique_ptr<Dataset> make_array_dataset(std::vector<ArrayFile> files,
                                            std::vector<std::int64_t> labels,
                                            std::vector<std::string> class_names, int channels,
                                            std::vector<SourceNote> notes) {
  DINO_ASSERT(!files.empty());
  std::int64_t count = 0;
  for (const ArrayFile& file : files) {
    const ArrayLayout& l = file.layout;
    if (l.count < 1 || l.height < 1 || l.width < 1 || l.height > kLargestSide ||
        l.width > kLargestSide)
      fail(ErrorKind::Data, "[open data set] '{}' holds no images: its size is {} x {} x {}",
           file.name, l.count, l.height, l.width);
    const bool colours = l.channels == 1 || l.channels == 3 || l.channels == 4;
    const bool convertible = colours && (channels == 0 || channels == 1 || channels == 3);
    if (!convertible && l.channels != channels)
      fail(ErrorKind::Data,
           "[open data set] '{}' has images of {} channels; ask for as many (--channels {}, "
           "data.channels = {})",
           file.name, l.channels, l.channels, l.channels);
    if (l.dtype != DType::U8 && l.dtype != DType::U16 && l.dtype != DType::F32)
      fail(ErrorKind::Data,
           "[open data set] '{}' holds {}; save images as uint8, uint16 or float32", file.name,
           format::dtype_name(l.dtype));
    count += l.count;
  }
  if (!labels.empty() && static_cast<std::int64_t>(labels.size()) != count)
    fail(ErrorKind::Data,
         "[open data set] {} labels for the {} images of '{}'; are they of one set?", labels.size(),
         count, files.front().name);
  return std::make_unique<ArrayDataset>(std::move(files), std::move(labels), std::move(class_names),
                                        channels, std::move(notes));
}

std::vector<std::string> numbered_classes(const std::vector<std::int64_t>& labels,
                                          std::string_view source) {
  constexpr std::int64_t kMostClasses = 1'000'000;
  if (labels.empty()) return {};
  const auto [least, most] = std::minmax_element(labels.begin(), labels.end());
  if (*least < 0 || *most >= kMostClasses)
    fail(ErrorKind::Data, "[open data set] '{}': labels from {} to {}; number the classes from 0",
         printable(source), *least, *most);
  std::vector<std::string> names;
  for (std::int64_t i = 0; i <= *most; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace dino::data
