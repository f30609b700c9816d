// The geometry of an image in the network's input, which maps feature maps back to the image.
#pragma once

namespace dino::data {

/** A rectangle in continuous px: pixel i covers [i, i + 1). */
struct Rect {
  double left = 0, top = 0, right = 0, bottom = 0;  ///< px
  bool operator==(const Rect&) const = default;
};

/** The image is scaled to resized_width x resized_height; the network gets the window of width x
 * height at (left, top) of the result. Parts of the window outside are padding. */
struct Placement {
  int source_width = 0, source_height = 0;    ///< px
  int resized_width = 0, resized_height = 0;  ///< px
  int left = 0, top = 0;                      ///< px; negative if there is padding
  int width = 0, height = 0;                  ///< px
  int patch_size = 1;                         ///< px

  int grid_width() const { return width / patch_size; }
  int grid_height() const { return height / patch_size; }
  /** Maps px of the network's input to px of the source. The result extends beyond the source if
   * `input` includes padding. */
  Rect to_source(const Rect& input) const;
  /** The rectangle of the source that the whole feature map covers. */
  Rect source_of_grid() const;
  /** The rectangle of the source that one patch covers. */
  Rect source_of_patch(int row, int column) const;
  bool operator==(const Placement&) const = default;
};

}  // namespace dino::data
