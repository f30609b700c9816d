// A contact sheet as data: tiles with captions and column titles. Code that makes pictures returns
// a Sheet; the command line renders it as a PNG and the report as HTML.
#pragma once
#include <string>
#include <vector>

#include "dino/image/image.h"

namespace dino::image {

/** The frame of a tile: none, green (correct) or red (wrong). */
enum class Mark { None, Good, Bad };

struct Tile {
  Image image;
  std::string caption = {};  ///< a few words; UTF-8
  Mark mark = Mark::None;
};

struct Sheet {
  std::string title = {};
  std::string caption = {};  ///< one or two sentences on what is shown and how to read it
  std::vector<std::string> column_titles = {};  ///< empty, or one per column
  int columns = 1;
  std::vector<Tile> tiles = {};  ///< row by row
};

/** Renders all tiles as one RGB image. Each is enlarged by a whole factor towards the larger of
 * `tile_px` and the largest tile; captions are below, column titles on top. The sheet's title and
 * caption are not drawn. Throws Error{Usage} on a sheet without tiles or columns. Thread-safe. */
Image render(const Sheet& sheet, int tile_px = 112);

}  // namespace dino::image
