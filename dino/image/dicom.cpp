// DICOM images: one frame of a file, from stored values to what they mean. For 8 bits grey values
// are shown as a viewer would: over the file's window, else over the range it says to occur, else
// over that of its bits; wide ones always keep the range of their bits. Leaves out: look-up tables
// of the modality and for display, overlays, and padding, which is a value like others.
#include <algorithm>
#include <cmath>

#include "dino/base/error.h"
#include "dino/image/codec.h"
#include "dino/image/dicom_pixels.h"

namespace dino::image {
namespace {

bool is_grey(const DicomFile& file) {
  return file.photometric == "MONOCHROME1" || file.photometric == "MONOCHROME2";
}
bool is_palette(const DicomFile& file) {
  return file.photometric == "PALETTE COLOR";
}

void check_colours(const DicomFile& file) {
  const std::string& name = file.photometric;
  const bool colours = name == "RGB" || name == "YBR_FULL" || name == "YBR_FULL_422" ||
                       name == "YBR_RCT" || name == "YBR_ICT";
  if (!is_grey(file) && !is_palette(file) && !colours)
    fail(ErrorKind::Format, "[decode] DICOM of photometric interpretation '{}' is not supported",
         name);
  if (file.samples != (colours ? 3 : 1))
    fail_damaged("DICOM", fmt::format("{} with {} samples per pixel", name, file.samples));
  if (file.bits_stored > 16 && !is_grey(file))
    fail(ErrorKind::Format, "[decode] DICOM colours of {} bits are not supported",
         file.bits_stored);
}

/** 0 (black) to 1 (white) of a value after slope and intercept. */
double shown(double value, const DicomWindow& window) {
  const double from_center = value - window.center;
  if (window.function == "SIGMOID") return 1 / (1 + std::exp(-4 * from_center / window.width));
  if (window.function == "LINEAR_EXACT") return from_center / window.width + 0.5;
  if (window.width <= 1) return value <= window.center - 0.5 ? 0 : 1;
  return (from_center + 0.5) / (window.width - 1) + 0.5;
}

/** `part` of full, rounded and clipped. */
template <typename Sample>
Sample portion(double part, double full) {
  return static_cast<Sample>(std::clamp(part, 0.0, 1.0) * full + 0.5);
}

/** The range of values to show in 8 bits, if the file gives one. */
std::optional<DicomWindow> window_of(const DicomFile& file) {
  if (file.window && file.window->width > 0) return file.window;
  if (!file.smallest || !file.largest) return std::nullopt;
  const auto value = [&](int stored) {
    const int read = file.is_signed ? static_cast<std::int16_t>(stored) : stored;
    return file.slope * read + file.intercept;
  };
  const auto [low, high] = std::minmax({value(*file.smallest), value(*file.largest)});
  if (!(low < high)) return std::nullopt;
  return DicomWindow{.center = (low + high) / 2, .width = high - low, .function = "LINEAR_EXACT"};
}

Raster grey_raster(const DicomFile& file, const StoredSamples& stored, bool windowed) {
  Raster raster{.width = stored.width, .height = stored.height, .samples = 1, .values = {}};
  const bool inverted = file.photometric == "MONOCHROME1";
  const auto turned = [&](double part) { return inverted ? 1 - part : part; };
  if (const auto window = windowed ? window_of(file) : std::nullopt) {
    std::vector<std::uint8_t> values(stored.values.size());
    std::ranges::transform(stored.values, values.begin(), [&](std::int32_t value) {
      return portion<std::uint8_t>(
          turned(std::clamp(shown(file.slope * value + file.intercept, *window), 0.0, 1.0)), 255);
    });
    raster.values = std::move(values);
    return raster;
  }
  // A slope below 0 makes large values dark.
  const bool flipped = inverted != (file.slope < 0);
  const double most = std::exp2(stored.bits) - 1;
  const double least = stored.is_signed ? -std::exp2(stored.bits - 1) : 0;
  const auto fill = [&]<typename Sample>(std::vector<Sample> values, double full) {
    std::ranges::transform(stored.values, values.begin(), [&](std::int32_t value) {
      const double positive =
          stored.is_signed ? value - least : static_cast<double>(static_cast<std::uint32_t>(value));
      const double part = positive / most;
      return portion<Sample>(flipped ? 1 - part : part, full);
    });
    raster.values = std::move(values);
  };
  if (stored.bits <= 8)
    fill(std::vector<std::uint8_t>(stored.values.size()), 255);
  else
    fill(std::vector<std::uint16_t>(stored.values.size()), 65535);
  return raster;
}

/** The entry of a palette's colour for a stored value, over 65,535. */
std::uint16_t palette_entry(const DicomFile& file, std::size_t colour, std::int32_t value) {
  const auto& [size, first, bits] = file.palette_shape[colour];
  const int start = file.is_signed ? static_cast<std::int16_t>(first) : first;
  const int entries = size == 0 ? 65536 : size;
  const auto index = static_cast<std::size_t>(
      std::clamp<std::int64_t>(std::int64_t{value} - start, 0, entries - 1));
  const ByteReader table(file.palette[colour], file.endian);
  // Entries of 8 bits lie in a byte each or, as some write them, in two.
  if (bits == 8 && file.palette[colour].size() < 2 * static_cast<std::size_t>(entries)) {
    const auto entry = table.u8(index);
    if (!entry) fail_damaged("DICOM", "the palette ends early");
    return static_cast<std::uint16_t>(*entry * 257);
  }
  const auto entry = table.u16(2 * index);
  if (!entry) fail_damaged("DICOM", "the palette ends early");
  return static_cast<std::uint16_t>(bits == 8 ? (*entry & 255) * 257 : *entry);
}

Raster palette_raster(const DicomFile& file, const StoredSamples& stored) {
  std::vector<std::uint16_t> values;
  values.reserve(3 * stored.values.size());
  for (const std::int32_t value : stored.values)
    for (std::size_t colour = 0; colour < 3; ++colour)
      values.push_back(palette_entry(file, colour, value));
  return {.width = stored.width,
          .height = stored.height,
          .samples = 3,
          .is_rgb = true,
          .values = std::move(values)};
}

}  // namespace

ImageInfo peek_dicom(Bytes bytes, const DecodeOptions& options) {
  const DicomFile file = read_dicom_file(bytes, options.page);
  check_colours(file);
  return {.kind = ImageKind::Dicom,
          .width = file.width,
          .height = file.height,
          .channels = is_grey(file) ? 1 : 3,
          .bits = is_palette(file) ? file.palette_shape[0][2] : file.bits_stored,
          .pages = file.frames};
}

Raster read_dicom(Bytes bytes, const DecodeOptions& options, bool windowed) {
  const DicomFile file = read_dicom_file(bytes, options.page);
  check_colours(file);
  StoredSamples stored = read_dicom_samples(file, options.page, options);
  if (is_grey(file)) return grey_raster(file, stored, windowed);
  if (is_palette(file)) return palette_raster(file, stored);
  // The codecs of YBR_RCT and YBR_ICT turn their colours back themselves.
  if (file.photometric.starts_with("YBR_FULL") && !is_dicom_jpeg(file)) ycc_to_rgb(stored);
  stored.is_rgb = true;
  return to_raster(stored);
}

}  // namespace dino::image
