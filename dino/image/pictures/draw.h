// Drawing just enough for contact sheets and heat maps.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "dino/image/image.h"

namespace dino::image {

struct Color {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
};

/** A flat image; with one channel the color's luma counts. */
Image filled(int width, int height, int channels, Color color);

/** The three-channel version of an image (a copy if it has three already). */
Image rgb_copy(const Image& image);

/** Copies `image` into `target` with its top left corner at (x, y) px; what falls outside is cut
 * off. A gray image goes onto RGB as gray; RGB onto gray as luma. */
void paste(Image& target, const Image& image, int x, int y);

/** Enlarges every pixel to a block of factor x factor px. Throws Error{Usage} where factor < 1. */
Image enlarge(const Image& image, int factor);

struct GridOptions {
  int columns = 8;
  int gap = 2;  ///< px between and around the tiles
  Color background = {255, 255, 255};
};

/** Lays images out row by row in cells as large as the largest of them, each centered; RGB. Throws
 * Error{Usage} where there is no image or columns < 1. */
Image grid(std::span<const Image> images, const GridOptions& options = {});

enum class ColorMap { Viridis, Turbo };

/** The map's color at `value`, cut to [0, 1]; NaN counts as 0. */
Color map_color(ColorMap map, float value);

/** Row-major values [height, width] as an RGB heat map, the lowest value at the map's start and the
 * highest at its end; a constant field is the start color. Throws Error{Usage} where values do not
 * fill the size. */
Image heat_map(std::span<const float> values, int width, int height,
               ColorMap map = ColorMap::Viridis);

}  // namespace dino::image
