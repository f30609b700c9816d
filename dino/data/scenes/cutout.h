// A picture of one object whose alpha channel is its exact mask.
#pragma once
#include <optional>

#include "dino/image/codecs/raster.h"
#include "dino/image/image.h"
#include "dino/image/planes.h"

namespace dino::data {

/** Pixels [height, width, 4]: red, green and blue multiplied by alpha, then alpha; without the
 * margins that are wholly transparent. */
using Cutout = image::Image;

/** Why a picture gives no cutout. */
enum class NoCutout {
  Opaque,  ///< no alpha channel, or no pixel that is more transparent than opaque
  Small,   ///< fewer than kLeastSolidPixels belong to the object
};
inline constexpr int kLeastSolidPixels = 64;
/** A pixel belongs to an object if its alpha, in [0, 1], is at least this. */
inline constexpr float kSolidAlpha = 0.5F;

/** Cuts the object out of a decoded file and shrinks it, if necessary, to a long side of `most_px`.
 * Empty if it is none; then `why` says the reason. Throws Error{Format} if its bands are no colors.
 * Thread-safe. */
std::optional<Cutout> cut_out(const image::Raster& raster, int most_px, NoCutout& why);

/** How a cutout is laid into a scene. */
struct Pose {
  double center_x = 0, center_y = 0;  ///< px of the scene
  double side_px = 0;                 ///< of the cutout's long side
  double degrees = 0;                 ///< turned clockwise
  bool mirrored = false;              ///< left and right exchanged, before turning
};

/** A cutout in its pose: planes [4, height, width], premultiplied as the cutout, whose top left
 * pixel is that of the scene at (left, top). It may be empty. */
struct Layer {
  int left = 0, top = 0;  ///< px
  image::Planes planes;

  bool is_solid(int x, int y) const { return planes.row(3, y)[x] >= kSolidAlpha; }
};

/** The part of the posed cutout that lies in a scene of `scene_px` x `scene_px`. Resampled with a
 * triangle filter, then turned by bilinear interpolation; exact if neither size nor angle change
 * and the corners lie on whole px. Thread-safe. */
Layer pose(const Cutout& cutout, const Pose& where, int scene_px);

}  // namespace dino::data
