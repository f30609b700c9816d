// Simple drawing for contact sheets and heat maps. All functions are thread-safe on different
// images.
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

/** An image of one color; with one channel, of the color's luma. */
Image filled(int width, int height, int channels, Color color);

/** A copy of the image with three channels. */
Image rgb_copy(const Image& image);

/** Copies `image` into `target` with its top left corner at (x, y) px; what falls outside is
 * clipped. Gray is pasted onto RGB as gray, RGB onto gray as its luma. */
void paste(Image& target, const Image& image, int x, int y);

/** Enlarges every pixel to a block of factor x factor px. Throws Error{Usage} if factor < 1. */
Image enlarge(const Image& image, int factor);

struct GridOptions {
  int columns = 8;
  int gap = 2;  ///< px between and around the tiles
  Color background = {255, 255, 255};
};

/** Arranges images row by row, each centered in a cell of the largest image's size. The result is
 * RGB. Throws Error{Usage} if there is no image or columns < 1. */
Image grid(std::span<const Image> images, const GridOptions& options = {});

enum class ColorMap { Viridis, Turbo };

/** The map's color at `value`, which is clipped to [0, 1]; NaN counts as 0. */
Color map_color(ColorMap map, float value);

/** Draws row-major values [height, width] as an RGB heat map from the lowest to the highest value;
 * a constant field gets the map's first color. Throws Error{Usage} if there are not height * width
 * values. */
Image heat_map(std::span<const float> values, int width, int height,
               ColorMap map = ColorMap::Viridis);

}  // namespace dino::image
