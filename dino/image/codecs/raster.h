// Samples as stored in image files, and their conversion to 8-bit images or planes of floats with
// the wanted number of channels.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "dino/image/image.h"
#include "dino/image/planes.h"
#include "dino/image/value_range.h"

namespace dino::image {

/** Stored samples [height, width, samples], interleaved. range() says which values are black and
 * white; that never depends on the samples' own extremes. */
struct Raster {
  int width = 0;           ///< px
  int height = 0;          ///< px
  int samples = 0;         ///< per pixel, alpha included
  bool is_rgb = false;     ///< the first three are red, green and blue
  bool has_alpha = false;  ///< the last one is alpha, not multiplied into the others
  std::variant<std::vector<std::uint8_t>, std::vector<std::uint16_t>, std::vector<float>> values;
  /// "int16", "uint12", ...; empty = the type of `values`
  std::string_view type = {};
  /// Black and white as the file declares them or its sample type implies; if not set, 0 and 255 or
  /// 65,535 for integers, 0 and 1 for floats
  std::optional<ValueRange> declared = std::nullopt;
  /// Black and white as the user gives them; overrides `declared`, except for alpha
  std::optional<ValueRange> given = std::nullopt;
  bool inverted = false;  ///< low values are white
  /// The value that marks missing data: a sample of a band, or a color whose samples all have it.
  /// Floats that are not finite are missing data too. Missing data become black
  std::optional<double> no_data = std::nullopt;
  /// Samples absent from the file; they are 0 in `values` (NaN for floats)
  std::int64_t missing = 0;

  int bands() const { return samples - (has_alpha ? 1 : 0); }
  ValueRange own_range() const;  ///< ignores `given`; valid for alpha too
  ValueRange range() const { return given ? *given : own_range(); }
  std::string_view type_name() const;
};

/** Predicate: whether a sample is missing data. */
template <typename Stored>
class NoData {
 public:
  explicit NoData(const Raster& raster)
      : mark_(raster.no_data), colors_(raster.is_rgb ? std::min(raster.bands(), 3) : 0) {}

  /** `pixel` points to the pixel's first sample. */
  bool operator()(const Stored* pixel, int band) const {
    if constexpr (std::is_floating_point_v<Stored>)
      if (!std::isfinite(pixel[band])) return true;
    if (!mark_) return false;
    if (band >= colors_) return is_mark(pixel[band]);
    return std::all_of(pixel, pixel + colors_, [this](Stored value) { return is_mark(value); });
  }

 private:
  /** Files give the mark in decimal, so it is rounded to float before the comparison. */
  bool is_mark(Stored value) const {
    if constexpr (std::is_floating_point_v<Stored>) return value == static_cast<Stored>(*mark_);
    return static_cast<double>(value) == *mark_;
  }

  std::optional<double> mark_;
  int colors_;
};

using Background = std::optional<std::array<std::uint8_t, 3>>;

/** The number of channels to convert to: `channels`, or the number of bands if that is 0. Throws
 * Error{Format} if the samples cannot be converted by the rules of decode(). */
int resolve_channels(const Raster& raster, int channels);

/** Converts to 8 bits: maps range() to 0..255, clipped and rounded. 16-bit samples whose range is
 * their whole type keep their high byte, as in Pillow. */
Image to_image(const Raster& raster, int channels, const Background& background);
/** Converts to floats: maps range() to 0..1 without clipping. */
Planes to_planes(const Raster& raster, int channels, const Background& background);

}  // namespace dino::image
