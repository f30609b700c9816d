// DICOM images: one frame of a file, from stored values to what they mean: after slope and
// intercept, black and white by the file's window or else by what its bits can hold. Leaves out:
// look-up tables of the modality and for display, overlays, and padding, which is a value like
// others.
#include <algorithm>
#include <cmath>

#include "dino/base/error.h"
#include "dino/image/codecs/codec.h"
#include "dino/image/codecs/dicom_pixels.h"

namespace dino::image {
namespace {

bool is_gray(const DicomFile& file) {
  return file.photometric == "MONOCHROME1" || file.photometric == "MONOCHROME2";
}
bool is_palette(const DicomFile& file) {
  return file.photometric == "PALETTE COLOR";
}

void check_colors(const DicomFile& file) {
  const std::string& name = file.photometric;
  const bool colors = name == "RGB" || name == "YBR_FULL" || name == "YBR_FULL_422" ||
                      name == "YBR_RCT" || name == "YBR_ICT";
  if (!is_gray(file) && !is_palette(file) && !colors)
    fail(ErrorKind::Format, "[decode] DICOM of photometric interpretation '{}' is not supported",
         name);
  if (file.samples != (colors ? 3 : 1))
    fail_damaged("DICOM", fmt::format("{} with {} samples per pixel", name, file.samples));
  if (file.bits_stored > 16 && !is_gray(file))
    fail(ErrorKind::Format, "[decode] DICOM colors of {} bits are not supported", file.bits_stored);
}

/** The values that the window maps to black and white (PS3.3 C.11.2.1.2); for SIGMOID the ends of
 * its linear part. */
ValueRange range_of(const DicomWindow& window) {
  if (window.function != "LINEAR" && !window.function.empty())
    return {window.center - window.width / 2, window.center + window.width / 2};
  // A width of 1 is a step before the center.
  const double middle = window.center - 0.5, half = std::max(window.width - 1, 0.5) / 2;
  return {middle - half, middle + half};
}

/** Values after slope and intercept, with the window's range. */
Raster gray_raster(const DicomFile& file, const StoredSamples& stored) {
  Raster raster = to_raster(stored);
  const ValueRange bits = range_of(stored);
  const auto meaning = [&](double value) { return file.slope * value + file.intercept; };
  const bool as_stored = file.slope == 1 && file.intercept == 0 && stored.bits <= 16;
  if (!as_stored) {
    std::vector<float> values(stored.values.size());
    std::ranges::transform(stored.values, values.begin(), [&](std::int32_t value) {
      return static_cast<float>(meaning(
          stored.is_signed ? value : static_cast<double>(static_cast<std::uint32_t>(value))));
    });
    raster.values = std::move(values);
    raster.declared = {std::min(meaning(bits.low), meaning(bits.high)),
                       std::max(meaning(bits.low), meaning(bits.high))};
  }
  if (file.window && file.window->width > 0) raster.declared = range_of(*file.window);
  if (!is_valid(*raster.declared)) fail_damaged("DICOM", "slope or window are no numbers to use");
  raster.inverted = file.photometric == "MONOCHROME1";
  return raster;
}

/** The entry of a palette's color for a stored value, over 65,535. */
std::uint16_t palette_entry(const DicomFile& file, std::size_t color, std::int32_t value) {
  const auto& [size, first, bits] = file.palette_shape[color];
  const int start = file.is_signed ? static_cast<std::int16_t>(first) : first;
  const int entries = size == 0 ? 65536 : size;
  const auto index = static_cast<std::size_t>(
      std::clamp<std::int64_t>(std::int64_t{value} - start, 0, entries - 1));
  const ByteReader table(file.palette[color], file.endian);
  // Entries of 8 bits lie in a byte each or, as some write them, in two.
  if (bits == 8 && file.palette[color].size() < 2 * static_cast<std::size_t>(entries)) {
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
    for (std::size_t color = 0; color < 3; ++color)
      values.push_back(palette_entry(file, color, value));
  return {.width = stored.width,
          .height = stored.height,
          .samples = 3,
          .is_rgb = true,
          .values = std::move(values)};
}

}  // namespace

ImageInfo peek_dicom(Bytes bytes, const DecodeOptions& options) {
  const DicomFile file = read_dicom_file(bytes, options.page);
  check_colors(file);
  return {.kind = ImageKind::Dicom,
          .width = file.width,
          .height = file.height,
          .channels = is_gray(file) ? 1 : 3,
          .bits = is_palette(file) ? file.palette_shape[0][2] : file.bits_stored,
          .pages = file.frames};
}

Raster read_dicom(Bytes bytes, const DecodeOptions& options) {
  const DicomFile file = read_dicom_file(bytes, options.page);
  check_colors(file);
  StoredSamples stored = read_dicom_samples(file, options.page, options);
  if (is_gray(file)) return gray_raster(file, stored);
  if (is_palette(file)) return palette_raster(file, stored);
  // The codecs of YBR_RCT and YBR_ICT convert to RGB themselves.
  if (file.photometric.starts_with("YBR_FULL") && !is_dicom_jpeg(file)) ycc_to_rgb(stored);
  stored.is_rgb = true;
  return to_raster(stored);
}

}  // namespace dino::image
