// Where an image lies in what the network gets: what takes a feature map back to the image.
#pragma once

namespace dino::data {

/** Pixel i covers [i, i + 1). */
struct Rect {
  double left = 0, top = 0, right = 0, bottom = 0;  ///< px
  bool operator==(const Rect&) const = default;
};

/** The whole image is scaled to resized_width x resized_height; the network gets the window of
 * width x height at (left, top) of that. Where the window reaches outside there is padding. */
struct Placement {
  int source_width = 0, source_height = 0;    ///< px
  int resized_width = 0, resized_height = 0;  ///< px
  int left = 0, top = 0;                      ///< px; negative: padding
  int width = 0, height = 0;                  ///< px
  int patch_size = 1;                         ///< px

  int grid_width() const { return width / patch_size; }
  int grid_height() const { return height / patch_size; }
  /** From px of the network's input to px of the source. Reaches outside the source where `input`
   * reaches into padding. */
  Rect to_source(const Rect& input) const;
  /** What the whole feature map covers: draw the map over this rectangle of the source. */
  Rect source_of_grid() const;
  /** What one cell of it covers. */
  Rect source_of_patch(int row, int column) const;
  bool operator==(const Placement&) const = default;
};

}  // namespace dino::data
