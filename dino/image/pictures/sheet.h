// A contact sheet as data: tiles with captions and column headings. The CLI renders it to one PNG,
// the report to HTML; whoever makes a picture writes neither.
#pragma once
#include <string>
#include <vector>

#include "dino/image/image.h"

namespace dino::image {

/** What a tile's frame says: nothing, as it should be (green), or not (red). */
enum class Mark { None, Good, Bad };

struct Tile {
  Image image;
  std::string caption = {};  ///< a few words; UTF-8
  Mark mark = Mark::None;
};

struct Sheet {
  std::string title = {};
  std::string caption = {};  ///< what is seen and how to read it, a sentence or two
  std::vector<std::string> column_titles = {};  ///< empty, or one per column
  int columns = 1;
  std::vector<Tile> tiles = {};  ///< row by row
};

/** All tiles as one RGB picture: each enlarged by whole factors towards `tile_px` or the
 * largest tile, whichever is more, marked ones framed, captions below them, column titles on top.
 * The sheet's own title and caption are left to whoever shows the picture. Throws Error{Usage} on a
 * sheet without tiles or columns. Thread-safe. */
Image render(const Sheet& sheet, int tile_px = 112);

}  // namespace dino::image
