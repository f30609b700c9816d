// Samples as files hold them, and what becomes of them: 8-bit images or planes of floats, in the
// channels asked for.
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

/** [height, width, samples], interleaved, in stored values. Which of them are black and white says
 * range(), never the samples themselves. */
struct Raster {
  int width = 0;           ///< px
  int height = 0;          ///< px
  int samples = 0;         ///< per pixel, alpha included
  bool is_rgb = false;     ///< the first three are red, green and blue
  bool has_alpha = false;  ///< the last one is alpha, not multiplied into the others
  std::variant<std::vector<std::uint8_t>, std::vector<std::uint16_t>, std::vector<float>> values;
  /// "int16", "uint12", ...; empty = that of `values`
  std::string_view type = {};
  /// What the file, or its type of samples, says is black and white; not set: 0 to 255 and to
  /// 65,535 of integers in `values`, 0 to 1 of floats
  std::optional<ValueRange> declared = std::nullopt;
  /// What the user says; goes before what the file says, but not for alpha
  std::optional<ValueRange> given = std::nullopt;
  bool inverted = false;  ///< low is white
  /// Marks what is no data: a band's sample, a color whose samples all have it. So does any float
  /// that is no finite number. It becomes black
  std::optional<double> no_data = std::nullopt;
  std::int64_t missing =
      0;  ///< samples the file leaves out, which are 0 in `values` (NaN in floats)

  int bands() const { return samples - (has_alpha ? 1 : 0); }
  ValueRange own_range() const;  ///< of alpha too
  ValueRange range() const { return given ? *given : own_range(); }
  std::string_view type_name() const;
};

/** Tells which samples are no data. */
template <typename Stored>
class NoData {
 public:
  explicit NoData(const Raster& raster)
      : mark_(raster.no_data), colors_(raster.is_rgb ? std::min(raster.bands(), 3) : 0) {}

  /** `pixel`: its first sample. */
  bool operator()(const Stored* pixel, int band) const {
    if constexpr (std::is_floating_point_v<Stored>)
      if (!std::isfinite(pixel[band])) return true;
    if (!mark_) return false;
    if (band >= colors_) return is_mark(pixel[band]);
    return std::all_of(pixel, pixel + colors_, [this](Stored value) { return is_mark(value); });
  }

 private:
  /** Marks are written in decimal: floats equal them only once rounded alike. */
  bool is_mark(Stored value) const {
    if constexpr (std::is_floating_point_v<Stored>) return value == static_cast<Stored>(*mark_);
    return static_cast<double>(value) == *mark_;
  }

  std::optional<double> mark_;
  int colors_;
};

using Background = std::optional<std::array<std::uint8_t, 3>>;

/** Throws Error{Format} if `channels` can be made of these samples neither by taking them as they
 * are nor by the rules of decode(). 0 becomes the number of bands. */
int resolve_channels(const Raster& raster, int channels);

/** 8 bits: range() as 0 to 255, clipped and rounded; 16-bit samples that span their type keep their
 * high byte. */
Image to_image(const Raster& raster, int channels, const Background& background);
/** range() as 0 to 1; what lies outside stays outside. */
Planes to_planes(const Raster& raster, int channels, const Background& background);

}  // namespace dino::image
