#include "dino/image/sheet.h"

#include <algorithm>

#include "dino/base/error.h"
#include "dino/image/draw.h"

namespace dino::image {
namespace {

constexpr int kFrame = 3;  // px
constexpr Color kGood = {46, 160, 67}, kBad = {218, 54, 51}, kPaper = {255, 255, 255};

Image framed(const Image& image, Mark mark) {
  const Color color = mark == Mark::Good ? kGood : mark == Mark::Bad ? kBad : kPaper;
  Image out = filled(image.width + 2 * kFrame, image.height + 2 * kFrame, 3, color);
  paste(out, image, kFrame, kFrame);
  return out;
}

}  // namespace

Image render(const Sheet& sheet, int tile_px) {
  if (sheet.tiles.empty() || sheet.columns < 1)
    fail(ErrorKind::Usage, "[render] the sheet \"{}\" has no tiles or no columns", sheet.title);
  const bool marked = std::any_of(sheet.tiles.begin(), sheet.tiles.end(),
                                  [](const Tile& tile) { return tile.mark != Mark::None; });
  // A map of few cells beside a large picture is drawn as large as the picture.
  int target = tile_px;
  for (const Tile& tile : sheet.tiles)
    target = std::max({target, tile.image.width, tile.image.height});
  std::vector<Image> cells;
  cells.reserve(sheet.tiles.size());
  for (const Tile& tile : sheet.tiles) {
    const int side = std::max({tile.image.width, tile.image.height, 1});
    Image cell = enlarge(tile.image, target / side);
    cells.push_back(marked ? framed(cell, tile.mark) : std::move(cell));
  }
  return grid(cells, {.columns = sheet.columns, .gap = 4, .background = kPaper});
}

}  // namespace dino::image
