#include "dino/data/sources/array_dataset.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "dino/base/error.h"
#include "dino/base/half.h"
#include "dino/base/text.h"
#include "dino/format/byte_order.h"

namespace dino::data {
namespace {

using format::DType;

constexpr std::int64_t kLargestSide = 1 << 16;

int kept_channels(const ArrayLayout& layout, const FileDecoding& decoding) {
  return layout.channels == 4 && decoding.channels != 4 ? 3 : layout.channels;
}

/** Copies the items into [H, W, C]; `convert` makes a sample of each. */
template <typename Item, typename Sample, typename Convert>
std::vector<Sample> interleaved(const ArrayLayout& layout, std::span<const std::byte> bytes,
                                Convert convert) {
  const auto pixels = static_cast<std::size_t>(layout.width * layout.height);
  const auto channels = static_cast<std::size_t>(layout.channels);
  DINO_ASSERT(bytes.size() == pixels * channels * sizeof(Item));
  std::vector<Sample> samples(pixels * channels);
  for (std::size_t i = 0; i < pixels; ++i)
    for (std::size_t c = 0; c < channels; ++c) {
      Item item;
      const std::size_t at = layout.planar ? c * pixels + i : i * channels + c;
      std::memcpy(&item, bytes.data() + at * sizeof(Item), sizeof(Item));
      samples[i * channels + c] = convert(item);
    }
  return samples;
}

/** Items of a type that a raster stores unchanged. */
template <typename Item>
void put_as_stored(const ArrayLayout& layout, std::span<const std::byte> bytes,
                   image::Raster& raster) {
  raster.values = interleaved<Item, Item>(layout, bytes, [](Item item) { return item; });
}

/** Items that a raster stores as floats; the range of integers is that of their type. */
template <typename Item>
void put_as_floats(const ArrayLayout& layout, std::span<const std::byte> bytes,
                   std::string_view type, image::Raster& raster) {
  raster.type = type;
  if constexpr (std::is_integral_v<Item>)
    raster.declared = {static_cast<double>(std::numeric_limits<Item>::min()),
                       static_cast<double>(std::numeric_limits<Item>::max())};
  raster.values =
      interleaved<Item, float>(layout, bytes, [](Item item) { return static_cast<float>(item); });
}

bool holds_samples(DType dtype) {
  return dtype != DType::BF16 && dtype != DType::F8_E4M3 && dtype != DType::F8_E5M2;
}

void put_values(const ArrayLayout& layout, std::span<const std::byte> bytes,
                image::Raster& raster) {
  switch (layout.dtype) {
    case DType::U8:
      return put_as_stored<std::uint8_t>(layout, bytes, raster);
    case DType::U16:
      return put_as_stored<std::uint16_t>(layout, bytes, raster);
    case DType::Bool:
      raster.type = "bool";
      raster.declared = {0, 1};
      raster.values = interleaved<std::uint8_t, std::uint8_t>(
          layout, bytes, [](std::uint8_t item) { return std::uint8_t{item != 0}; });
      return;
    case DType::F16:
      raster.type = "float16";
      raster.values = interleaved<std::uint16_t, float>(layout, bytes, half_to_float);
      return;
    case DType::F32:
      return put_as_floats<float>(layout, bytes, "float32", raster);
    case DType::F64:
      return put_as_floats<double>(layout, bytes, "float64", raster);
    case DType::I8:
      return put_as_floats<std::int8_t>(layout, bytes, "int8", raster);
    case DType::I16:
      return put_as_floats<std::int16_t>(layout, bytes, "int16", raster);
    case DType::I32:
      return put_as_floats<std::int32_t>(layout, bytes, "int32", raster);
    case DType::I64:
      return put_as_floats<std::int64_t>(layout, bytes, "int64", raster);
    case DType::U32:
      return put_as_floats<std::uint32_t>(layout, bytes, "uint32", raster);
    case DType::U64:
      return put_as_floats<std::uint64_t>(layout, bytes, "uint64", raster);
    case DType::BF16:
    case DType::F8_E4M3:
    case DType::F8_E5M2:
      break;
  }
  DINO_ASSERT(false);
}

class ArrayDataset : public Dataset {
 public:
  ArrayDataset(std::vector<ArrayFile> files, std::vector<std::int64_t> labels,
               std::vector<std::string> class_names, const FileDecoding& decoding,
               std::vector<SourceNote> notes)
      : files_(std::move(files)),
        labels_(labels.begin(), labels.end()),
        class_names_(std::move(class_names)),
        decoding_(decoding),
        notes_(std::move(notes)) {
    for (const ArrayFile& file : files_)
      ends_.push_back((ends_.empty() ? 0 : ends_.back()) + file.layout.count);
  }

  std::int64_t size() const override { return ends_.back(); }

  image::Image load(std::int64_t index) const override {
    return image::to_image(raster(index, record(index)), decoding_.channels,
                           decoding_.options.background);
  }
  image::Planes load_wide(std::int64_t index) const override {
    return image::to_planes(raster(index, record(index)), decoding_.channels,
                            decoding_.options.background);
  }
  StoredImage stored(std::int64_t index) const override {
    std::vector<std::byte> bytes = record(index);
    image::Raster samples = raster(index, bytes);
    return {std::move(bytes), array_info(find(index).first.layout, decoding_), std::move(samples)};
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
  image::Raster raster(std::int64_t index, std::span<const std::byte> bytes) const {
    return array_raster(find(index).first.layout, bytes, decoding_);
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

  std::vector<ArrayFile> files_;
  std::vector<std::int64_t> ends_;  // first index behind each file
  std::vector<std::int32_t> labels_;
  std::vector<std::string> class_names_;
  FileDecoding decoding_;
  std::vector<SourceNote> notes_;
};

}  // namespace

image::Raster array_raster(const ArrayLayout& layout, std::span<const std::byte> bytes,
                           const FileDecoding& decoding) {
  const int kept = kept_channels(layout, decoding);
  image::Raster raster{.width = static_cast<int>(layout.width),
                       .height = static_cast<int>(layout.height),
                       .samples = layout.channels,
                       .is_rgb = kept == 3,
                       .has_alpha = kept < layout.channels,
                       .values = {}};
  put_values(layout, bytes, raster);
  raster.given = decoding.options.value_range;
  return raster;
}

image::ImageInfo array_info(const ArrayLayout& layout, const FileDecoding& decoding) {
  const bool is_float =
      layout.dtype == DType::F16 || layout.dtype == DType::F32 || layout.dtype == DType::F64;
  return {.kind = image::ImageKind::Unknown,
          .width = static_cast<int>(layout.width),
          .height = static_cast<int>(layout.height),
          .channels = kept_channels(layout, decoding),
          .bits = static_cast<int>(8 * format::item_bytes(layout.dtype)),
          .is_float = is_float,
          .has_alpha = kept_channels(layout, decoding) < layout.channels};
}

void check_array(const ArrayLayout& layout, std::string_view name, const FileDecoding& decoding) {
  const ArrayLayout& l = layout;
  if (l.count < 1 || l.height < 1 || l.width < 1 || l.height > kLargestSide ||
      l.width > kLargestSide)
    fail(ErrorKind::Data, "[open data set] '{}' holds no images: its size is {} x {} x {}",
         printable(name), l.count, l.height, l.width);
  const int channels = decoding.channels;
  const bool colors = l.channels == 1 || l.channels == 3 || l.channels == 4;
  const bool convertible = colors && (channels == 0 || channels == 1 || channels == 3);
  if (!convertible && l.channels != channels)
    fail(ErrorKind::Data,
         "[open data set] '{}' has images of {} channels; ask for as many (--channels {}, "
         "data.channels = {})",
         printable(name), l.channels, l.channels, l.channels);
  if (!holds_samples(l.dtype))
    fail(ErrorKind::Data,
         "[open data set] '{}' holds {}; save images as integers or as float16, float32 or float64",
         printable(name), format::dtype_name(l.dtype));
}

std::unique_ptr<Dataset> make_array_dataset(std::vector<ArrayFile> files,
                                            std::vector<std::int64_t> labels,
                                            std::vector<std::string> class_names,
                                            const FileDecoding& decoding,
                                            std::vector<SourceNote> notes) {
  DINO_ASSERT(!files.empty());
  std::int64_t count = 0;
  for (const ArrayFile& file : files) {
    check_array(file.layout, file.name, decoding);
    count += file.layout.count;
  }
  if (!labels.empty() && static_cast<std::int64_t>(labels.size()) != count)
    fail(ErrorKind::Data,
         "[open data set] {} labels for the {} images of '{}'; are they of one set?", labels.size(),
         count, files.front().name);
  return std::make_unique<ArrayDataset>(std::move(files), std::move(labels), std::move(class_names),
                                        decoding, std::move(notes));
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
